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

// Encodes a text with at least one [MASK], else a DataError. No truncation, which could drop a [MASK].
ItemEncoder encode_masked_text(const Tokenizer& tokenizer);

// The `top_k` most probable tokens for each [MASK] of each sequence. DataError for a model without a masked-LM head.
std::vector<MaskCandidates> fill_masks(const Model& model, const Tokenizer& tokenizer, const Batch& batch,
                                       int64_t top_k, const std::stop_token& stop = {});

// `text`, whose encoding is given, with each [MASK] replaced by one of `ids`, in order: what that token adds to the
// text before it, so that "##ing" continues a word.
std::string filled_text(const Tokenizer& tokenizer, std::string_view text, const Encoding& encoding,
                        std::span<const int32_t> ids);

// The same for texts, in batches.
std::vector<MaskCandidates> fill_masks(const Model& model, const Tokenizer& tokenizer, Texts texts, int64_t top_k,
                                       const TextBatching& batching);

// The same for one text.
MaskCandidates fill_mask(const Model& model, const Tokenizer& tokenizer, const std::string& text, int64_t top_k);

}  // namespace roformer
