#include "text/token_rows.h"

#include <algorithm>

#include "base/error.h"
#include "base/json.h"

namespace roformer {

void check_rows(const Tokenizer& tokenizer, std::span<const int32_t> ids, int64_t rows) {
  const auto found = std::ranges::find_if(ids, [&](int32_t id) { return id >= rows; });
  if (found == ids.end()) return;
  throw DataError("the text holds the token {}, whose id {} is beyond the model's {} rows of embeddings",
                  quote(tokenizer.token(*found)), *found, rows);
}

std::string beyond_rows_warning(const std::string& directory, const Tokenizer& tokenizer, int64_t rows) {
  return fmt::format(
      "{}: the tokenizer has {} tokens, the model rows for {}: a text with one of the others is an error", directory,
      tokenizer.vocabulary_size(), rows);
}

}  // namespace roformer
