// Fills [MASK] in texts with a masked language model.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "models/model.h"
#include "tasks/text_batches.h"

namespace roformer {

struct Candidate {
  int32_t id;
  double score;  // softmax probability over the whole vocabulary
};

// For each [MASK] of `text`, in order, the `top_k` most probable tokens. DataError if the text has none.
std::vector<std::vector<Candidate>> fill_mask(const Model& model, const Tokenizer& tokenizer, const std::string& text,
                                              int64_t top_k);

// The same for each text, several computed together.
std::vector<std::vector<std::vector<Candidate>>> fill_masks(const Model& model, const Tokenizer& tokenizer,
                                                            std::span<const std::string> texts, int64_t top_k,
                                                            const TextBatching& batching);

}  // namespace roformer
