// The table of sines and cosines in transformers' RoFormers.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "models/config.h"
#include "tensor/tensor.h"

namespace roformer {

// transformers saves it with a RoFormer's weights, and warns if a file lacks it. Adds it as `name` for a rotary model
// of at most 2^20 positions; larger tables are not worth writing.
void add_position_table(const ModelConfig& config, const char* name,
                        std::vector<std::pair<std::string, Tensor>>& tensors);

}  // namespace roformer
