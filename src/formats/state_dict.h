// Weights by name, and copying them into a model's tensors.
// All mismatches are reported at once, by name, before anything is copied.
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

// Whether `name` matches `pattern`, in which '*' stands for any text.
bool matches_pattern(std::string_view name, std::string_view pattern);

// Throws one DataError with all problems, one per line, at most kShownProblems.
inline constexpr size_t kShownProblems = 20;
[[noreturn]] void report_problems(const std::string& source, const std::vector<std::string>& problems);

// Copies with conversion: shapes must be equal; `from` is of any floating-point type, `to` float32 or float64; both may
// have a row stride.
void copy_tensor(const Tensor& from, const Tensor& to);

// Calls `copy` with the tensor of `source` and the target for each of `targets`; shapes and types as for copy_tensor.
// Throws one DataError that lists all missing, extra and mismatched tensors of `file`, one per line, at most 20, before
// any call of `copy`.
void copy_into(const StateDict& source, const std::string& file,
               const std::vector<std::pair<std::string, Tensor>>& targets,
               const std::function<void(const Tensor& from, const Tensor& to)>& copy);

}  // namespace roformer
