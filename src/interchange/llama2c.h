// A llama2.c model as a Llama under canonical names, permuted from the adjacent to the half rotary layout of other
// programs.
#pragma once

#include <string>

#include "formats/state_dict.h"
#include "models/config.h"

namespace roformer {

struct Llama2cModel {
  ModelConfig config;
  StateDict weights;  // unpermuted ones are views of the file
};

// Reads a .bin (formats/llama2c_file.h). DataError for a malformed file or a non-finite weight.
Llama2cModel read_llama2c_model(const std::string& path);

}  // namespace roformer
