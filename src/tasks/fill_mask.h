// Fills [MASK] in texts with a masked language model.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "models/model.h"
#include "text/tokenizer.h"

namespace roformer {

struct Candidate {
  int32_t id;
  double score;  // softmax probability over the whole vocabulary
};

// For each [MASK] of `text`, in order, the `top_k` most probable tokens. DataError if the text has none.
std::vector<std::vector<Candidate>> fill_mask(const Model& model, const Tokenizer& tokenizer, const std::string& text,
                                              int64_t top_k);

}  // namespace roformer
