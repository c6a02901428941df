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

// All tensors of a safetensors file (see SafetensorsFile::tensor for what they share with it), but for those whose
// names match a pattern of `skip`: these may also be of types that cannot be read.
StateDict load_state_dict(const std::string& path, const std::vector<std::string>& skip = {});

// Whether `name` is `pattern`, where '*' stands for any text.
bool matches_pattern(std::string_view name, std::string_view pattern);

struct CopyOptions {
  std::string source;                                       // the file's name, for the message
  std::vector<std::string> allowed_extra;                   // patterns of names that need no target
  std::vector<std::string> allowed_missing;                 // patterns of targets that may stay as they are
  std::map<std::string, std::vector<std::string>> aliases;  // target: other names it may have in `source`, first wins
  // Called for each pair instead of copy_tensor(from, to).
  std::function<void(const std::string& target, const Tensor& from, const Tensor& to)> place;
};

// One DataError with all problems, a line each, at most 20.
[[noreturn]] void report_problems(const std::string& source, const std::vector<std::string>& problems);

// Shapes must be equal; every real type converts to float32 and float64; both may have a row stride.
void copy_tensor(const Tensor& from, const Tensor& to);

struct CopyReport {
  std::vector<std::string> extra;    // tensors of the source that were allowed and ignored
  std::vector<std::string> missing;  // targets that were allowed to be missing and were not touched
};

// Copies each target's tensor from `source`; shapes must be equal, every real type converts to float32 and
// float64, and targets may have a row stride. One DataError lists all that is missing, extra or misshapen, a line each,
// at most 20; then nothing has been copied. Another name of a target that is present beside it is neither an error nor
// extra.
CopyReport copy_into(const StateDict& source, const std::vector<std::pair<std::string, Tensor>>& targets,
                     const CopyOptions& options);

}  // namespace roformer
