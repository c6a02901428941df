// What `convert` ends with: proof that the written weights are the source's.
#pragma once

#include <string>

#include "formats/state_dict.h"
#include "interchange/convert.h"

namespace roformer {

// Reads the weights of `directory` and compares each, bit by bit as float32, with the tensor of `source` that has its
// name. Tables of positions, which no reader takes from a file, are not looked at. DataError naming the first tensors
// that differ. Fills the report's counts, hashes and what was left out.
ConvertReport self_check(const StateDict& source, const std::string& directory);

}  // namespace roformer
