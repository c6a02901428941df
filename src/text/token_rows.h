// Tokens that a model has no rows for: a tokenizer may have more tokens than its model.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "text/tokenizer.h"

namespace roformer {

// DataError that names the first of `ids` that is not below `rows`, the model's vocabulary.
void check_rows(const Tokenizer& tokenizer, std::span<const int32_t> ids, int64_t rows);

// Says that the tokenizer has more tokens than the model in `directory` has rows.
std::string beyond_rows_warning(const std::string& directory, const Tokenizer& tokenizer, int64_t rows);

}  // namespace roformer
