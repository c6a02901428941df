// Decoding passes: append tokens to sequences and compute the next-token logits.
#pragma once

#include <cstdint>
#include <span>
#include <stop_token>
#include <vector>

#include "models/model.h"

namespace roformer {

// For logits that are not finite: a DataError that names the first weights that are not, if any.
[[noreturn]] void report_not_finite(const Model& model);

class GenerationPass {
 public:
  // For `sequences` sequences of at most `window` tokens. Generated tokens have segment 1 with a prefix mask. `tokens`:
  // number of ids in the tokenizer. A pass throws Interrupted if `stop` is requested.
  GenerationPass(const Model& model, AttentionMask attention_mask, int64_t sequences, int64_t window, int64_t tokens,
                 std::stop_token stop = {});

  DecodingState& state() { return state_; }

  // Next-token logits, [sequences][tokens].
  using Logits = std::vector<std::vector<double>>;

  // Computes the logits after each prompt, or after one more token per sequence, reusing the memory of `logits`.
  // DataError for non-finite logits, naming the first non-finite weights.
  void prompts(std::span<const std::vector<int32_t>> prompts, Logits& logits);
  void step(std::span<const int32_t> ids, Logits& logits);

  bool full(int64_t sequence) const { return state_.tokens(sequence) >= state_.capacity(); }
  // Context shift: removes the older half of a sequence except its first token.
  void shift(int64_t sequence);
  void select(std::span<const int32_t> which) { state_.select(model_.backend(), which); }

 private:
  void run(const Batch& batch, Logits& logits);

  const Model& model_;
  AttentionMask attention_mask_;
  DecodingState state_;
  int64_t tokens_;
  std::stop_token stop_;
};

}  // namespace roformer
