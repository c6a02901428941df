// The final step of `convert`: verifies that the written weights equal the source's.
#pragma once

#include <string>

#include "formats/state_dict.h"
#include "interchange/convert.h"

namespace roformer {

// Compares the weights of `directory` bit by bit, as float32, with the tensors of `source` of the same names. Computed
// position tables are skipped. DataError naming the first tensors that differ. Fills in the report's counts, hashes and
// left_out.
ConvertReport self_check(const StateDict& source, const std::string& directory);

}  // namespace roformer
