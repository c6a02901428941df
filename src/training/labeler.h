// What is learned of a sequence: which of its tokens the model is shown, from which places it predicts, and what the
// right answers are.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "data/masking.h"

namespace roformer {

class Labeler {
 public:
  virtual ~Labeler() = default;

  // A pure function of its arguments. No rows when there is nothing to predict.
  virtual MaskedSequence label(std::span<const int32_t> sequence, RandomStream random) const = 0;
  // Whether the token at this place of a sequence may be a label; and how many different tokens there are that may.
  virtual bool predictable(std::span<const int32_t> sequence, size_t place) const = 0;
  virtual int64_t predictable_tokens() const = 0;
};

// Masked language modeling: some tokens are hidden, none of them special (data/masking.h).
std::unique_ptr<Labeler> masked_labeler(const Tokenizer& tokenizer, const MaskingOptions& options);

// Causal language modeling: every token but the first of a sequence is predicted from those before it, special tokens
// too: [SEP], because where a text ends is to be learned, and [UNK], so that perplexity counts all of the text. Nothing
// is predicted across the end of a sequence. The random stream is not used.
std::unique_ptr<Labeler> causal_labeler(const Tokenizer& tokenizer);

}  // namespace roformer
