// The model's side of generation: passes that add tokens to sequences and give the scores of what comes next.
#pragma once

#include <cstdint>
#include <span>
#include <stop_token>
#include <vector>

#include "models/model.h"

namespace roformer {

class GenerationPass {
 public:
  // Of `sequences` sequences of at most `window` tokens. Generated tokens have segment 1 where attention_mask is
  // prefix. `tokens`: how many ids of the vocabulary are tokens. A pass throws Interrupted when `stop` is requested.
  GenerationPass(const Model& model, AttentionMask attention_mask, int64_t sequences, int64_t window, int64_t tokens,
                 std::stop_token stop = {});

  DecodingState& state() { return state_; }

  // Of each sequence, those of what comes next: [sequences][tokens].
  using Scores = std::vector<std::vector<double>>;

  // Writes the scores after each prompt, or after one more token of each sequence; memory that `scores` has is used
  // again. DataError, naming the first weights that are no finite numbers, where a score is none.
  void prompts(std::span<const std::vector<int32_t>> prompts, Scores& scores);
  void step(std::span<const int32_t> ids, Scores& scores);

  bool full(int64_t sequence) const { return state_.tokens(sequence) >= state_.capacity(); }
  // Forgets the older half of a full sequence, but its first token.
  void shift(int64_t sequence);
  void select(std::span<const int32_t> which) { state_.select(model_.backend(), which); }

 private:
  void run(const Batch& batch, Scores& scores);

  const Model& model_;
  AttentionMask attention_mask_;
  DecodingState state_;
  int64_t tokens_;
  std::stop_token stop_;
};

}  // namespace roformer
