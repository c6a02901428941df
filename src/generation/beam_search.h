// Beam search as transformers does it (generation/beam_search.py, early_stopping=False), independent of the model. A
// finished hypothesis has the score log P / penalty, with the length of the generated tokens, end token included.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

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

struct Hypothesis {
  std::vector<int32_t> ids;  // generated, the end token included
  double score = 0;
  bool ended = false;  // with an end token
};

struct NextToken {
  int32_t id;
  double log_probability;
};

// The `count` best of the log probabilities of all tokens, best first, ties by id; none that is −∞.
std::vector<NextToken> best_tokens(std::span<const double> logs, size_t count);

class BeamSearch {
 public:
  explicit BeamSearch(BeamOptions options);

  // The generated tokens of each live beam; initially one empty beam.
  const std::vector<std::vector<int32_t>>& live() const { return live_; }
  // Whether the search has ended: there are as many finished hypotheses as beams and the best live one, at its current
  // length, does not beat the worst of them; or max_tokens is reached.
  bool done() const { return done_; }

  // How many of the best next tokens of each live beam can matter.
  size_t candidates() const;
  // tokens[i]: these after live beam i. Returns the parent beam of each new live beam.
  std::vector<int32_t> advance(std::span<const std::vector<NextToken>> tokens);

  // The best hypotheses, best first, at most `count`, treating live beams as finished.
  std::vector<Hypothesis> best(size_t count) const;

 private:
  double score_of(double sum, size_t length) const {
    return hypothesis_score(sum, length, options_.length_penalty, options_.penalty_kind);
  }
  void finish(Hypothesis hypothesis);

  BeamOptions options_;
  std::vector<std::vector<int32_t>> live_{1};
  std::vector<double> sums_{0};
  std::vector<Hypothesis> finished_;  // best first, at most `beams`
  bool done_ = false;
};

}  // namespace roformer
