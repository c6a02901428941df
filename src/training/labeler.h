// Makes training examples from sequences: input ids, the rows to predict from, and labels.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "data/masking.h"

namespace roformer {

class Labeler {
 public:
  virtual ~Labeler() = default;

  // A pure function of its arguments. No rows if there is nothing to predict.
  virtual MaskedSequence label(std::span<const int32_t> sequence, RandomStream random) const = 0;
  // Whether the token at `position` of a sequence can be a label, and the number of distinct tokens that can be.
  virtual bool predictable(std::span<const int32_t> sequence, size_t position) const = 0;
  virtual int64_t predictable_tokens() const = 0;
};

// `rows`: of the model's embeddings; tokens beyond them are never drawn (text/token_rows.h).

// Masked language modeling: some tokens are masked, special ones never (data/masking.h).
std::unique_ptr<Labeler> masked_labeler(const Tokenizer& tokenizer, const MaskingOptions& options,
                                        int64_t rows = INT64_MAX);

// Causal language modeling: every token but the first of a sequence is predicted from those before it, including
// special tokens: [SEP], so that the ends of texts are learned, and [UNK], so that perplexity covers the whole text.
// Nothing is predicted across sequences. The random stream is not used.
std::unique_ptr<Labeler> causal_labeler(const Tokenizer& tokenizer, int64_t rows = INT64_MAX);

}  // namespace roformer
