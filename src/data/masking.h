// Masked language modeling (Devlin et al. 2019, section 3.1): choose tokens of a sequence, hide most of them, ask for
// the originals. A pure function of the sequence and a random stream: the same at any thread count and after a resume.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/random.h"
#include "text/tokenizer.h"

namespace roformer {

struct MaskingOptions {
  double probability = 0.15;  // share of the tokens that are not special, at least one token
  double mask_share = 0.8;    // of the chosen tokens: become [MASK]
  double random_share = 0.1;  // of the chosen tokens: become a random token; the rest stay as they are
  bool whole_words = false;   // "##" pieces are chosen together with their word
};

// What masking must know of a tokenizer.
struct MaskingVocabulary {
  explicit MaskingVocabulary(const Tokenizer& tokenizer);

  int32_t mask_id;
  std::vector<uint8_t> special;       // one a token, 1 for the special ones
  std::vector<uint8_t> continuation;  // one a token, 1 for "##" pieces
  std::vector<int32_t> ordinary;      // the ids that are not special
};

struct MaskedSequence {
  std::vector<int32_t> ids;     // the sequence with tokens hidden
  std::vector<int32_t> rows;    // places of the chosen tokens, rising
  std::vector<int32_t> labels;  // their original ids
};

// Chooses max(1, round(probability * n)) of the n tokens that are not special. With whole words, words are taken in
// random order, skipping one that would exceed that number, until it is reached; when every word exceeds it, the first
// word drawn is taken all the same. No labels when every token is special. DataError when an id is outside the
// vocabulary; UsageError when the shares are not within 0 and 1.
MaskedSequence mask_sequence(std::span<const int32_t> ids, const MaskingOptions& options,
                             const MaskingVocabulary& vocabulary, RandomStream stream);

}  // namespace roformer
