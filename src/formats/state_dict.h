// Weights by name: what a checkpoint holds, and how it gets into a model's tensors.
// Everything that does not fit is reported at once, by name, before a single number is copied.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tensor/tensor.h"

namespace roformer {

using StateDict = std::map<std::string, Tensor>;

// All tensors of a safetensors file (see SafetensorsFile::tensor for what they share with it).
StateDict load_state_dict(const std::string& path);

// Whether `name` is `pattern`, where '*' stands for any text.
bool matches_pattern(std::string_view name, std::string_view pattern);

// One DataError with all problems, a line each, at most 20.
[[noreturn]] void report_problems(const std::string& source, const std::vector<std::string>& problems);

// Shapes must be equal; every real type converts to float32 and float64; both may have a row stride.
void copy_tensor(const Tensor& from, const Tensor& to);

// Calls `place` with each target's tensor of `source` and the target; shapes must be equal and types such as
// copy_tensor takes. One DataError lists all that is missing, extra or misshapen in `file`, a line each, at most 20;
// then `place` has not been called.
void copy_into(const StateDict& source, const std::string& file,
               const std::vector<std::pair<std::string, Tensor>>& targets,
               const std::function<void(const Tensor& from, const Tensor& to)>& place);

}  // namespace roformer
