// Fills [MASK] in texts with a masked language model.
#pragma once

#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "inference/text_stream.h"
#include "models/model.h"

namespace roformer {

struct Candidate {
  int32_t id;
  double score;  // softmax probability over the whole vocabulary
};

using MaskCandidates = std::vector<std::vector<Candidate>>;  // for each [MASK] of a text, in order

// A text with at least one [MASK], else a DataError. Never cut: that could take a [MASK] away.
ItemEncoder encode_masked_text(const Tokenizer& tokenizer);

// For each [MASK] of each sequence of the batch the `top_k` most probable tokens. DataError for a model without a
// masked-LM head.
std::vector<MaskCandidates> fill_masks(const Model& model, const Tokenizer& tokenizer, const Batch& batch,
                                       int64_t top_k, const std::stop_token& stop = {});

// `text`, whose encoding is given, with each [MASK] replaced by one of `ids`, in order: what that token adds to the
// text before it, so that "##ing" continues a word.
std::string filled_text(const Tokenizer& tokenizer, std::string_view text, const Encoding& encoding,
                        std::span<const int32_t> ids);

// fill_masks for each text, several computed together.
std::vector<MaskCandidates> fill_masks(const Model& model, const Tokenizer& tokenizer,
                                       std::span<const std::string> texts, int64_t top_k, const TextBatching& batching);

// The same for one text.
MaskCandidates fill_mask(const Model& model, const Tokenizer& tokenizer, const std::string& text, int64_t top_k);

}  // namespace roformer
