// Beam search as transformers does it (generation/beam_search.py, early_stopping=False), independent of the model. A
// finished hypothesis has the score log P / penalty, with the length of the generated tokens, end token included.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <utility>
#include <vector>

#include "generation/search.h"

namespace roformer {

// What the length penalty A makes of a length: length^A (transformers, fairseq), or ((5 + length) / 6)^A (GNMT; Wu et
// al. 2016).
enum class LengthPenalty { power, gnmt };

// log P divided by the penalty of its length.
double hypothesis_score(double log_probability, size_t tokens, double length_penalty, LengthPenalty kind);

struct BeamOptions {
  int64_t beams = 4;
  double length_penalty = 1;  // A: > 0 favors long sequences, < 0 short ones
  LengthPenalty penalty_kind = LengthPenalty::power;
  int64_t max_tokens = 20;
  std::vector<int32_t> end_ids;
};

// The `count` best of the log probabilities of all tokens, best first, ties by id; none that is −∞.
std::vector<NextToken> best_tokens(std::span<const double> logs, size_t count);

class BeamSearch final : public HypothesisSearch {
 public:
  explicit BeamSearch(BeamOptions options);

  const std::vector<std::vector<int32_t>>& live() const override { return live_; }
  // Whether the search has ended: there are as many finished hypotheses as beams and the best live one, at its current
  // length, does not beat the worst of them; or max_tokens is reached.
  bool done() const override { return done_; }

  // How many of the best next tokens of each live beam can matter.
  size_t candidates() const;
  // What the scores of hypotheses gain that end by the next advance(), one for each live beam: at most 0, such as the
  // coverage penalty. It does not decide which beams go on.
  void set_bonuses(std::vector<double> bonuses) { bonuses_ = std::move(bonuses); }
  std::vector<int32_t> advance(std::span<const std::vector<NextToken>> tokens) override;

  // The best hypotheses, best first, treating live beams as finished.
  std::vector<Hypothesis> best(size_t count) const override;

 private:
  double score_of(double sum, size_t length) const {
    return hypothesis_score(sum, length, options_.length_penalty, options_.penalty_kind);
  }
  double bonus_of(size_t beam) const { return bonuses_.empty() ? 0 : bonuses_[beam]; }
  void finish(Hypothesis hypothesis);

  BeamOptions options_;
  std::vector<std::vector<int32_t>> live_{1};
  std::vector<double> sums_{0};
  std::vector<double> bonuses_;       // of each live beam; empty: none
  std::vector<Hypothesis> finished_;  // best first, at most `beams`
  bool done_ = false;
};

}  // namespace roformer
