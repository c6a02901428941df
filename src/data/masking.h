// Masked language modeling (Devlin et al. 2019, section 3.1): select tokens of a sequence, replace most of them,
// predict the originals. A pure function of the sequence and a random stream: the same at any thread count and after a
// resume.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/random.h"
#include "text/tokenizer.h"

namespace roformer {

struct MaskingOptions {
  double probability = 0.15;  // of selection, as a share of the non-special tokens; at least one is selected
  double mask_share = 0.8;    // of the selected tokens: replaced by [MASK]
  double random_share = 0.1;  // of the selected tokens: replaced by a random token; the rest are unchanged
  bool whole_words = false;   // select "##" pieces together with their word
};

// The properties of a tokenizer that masking needs.
struct MaskingVocabulary {
  // Of a model with `rows` rows of embeddings.
  explicit MaskingVocabulary(const Tokenizer& tokenizer, int64_t rows = INT64_MAX);

  int32_t mask_id;
  std::vector<uint8_t> special;       // one per token; 1 for special tokens
  std::vector<uint8_t> continuation;  // one per token; 1 for "##" pieces
  std::vector<int32_t> ordinary;      // non-special ids that the model has rows for
};

struct MaskedSequence {
  std::vector<int32_t> ids;     // the sequence with tokens masked
  std::vector<int32_t> rows;    // positions of the selected tokens, ascending
  std::vector<int32_t> labels;  // their original ids
};

// Selects max(1, round(probability * n)) of the n non-special tokens. With whole words, words are drawn in random
// order, skipping those that would exceed that number, until it is reached; if every word exceeds it, the first word
// drawn is selected. No labels if all tokens are special. DataError for an id outside the vocabulary; UsageError for
// shares outside [0, 1].
MaskedSequence mask_sequence(std::span<const int32_t> ids, const MaskingOptions& options,
                             const MaskingVocabulary& vocabulary, RandomStream stream);

}  // namespace roformer
