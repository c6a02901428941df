// Beam search as transformers does it (generation/beam_search.py, early_stopping=False), independent of the model. A
// finished hypothesis has the score log P / length^penalty, with the length of the generated tokens, end token
// included.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace roformer {

struct BeamOptions {
  int64_t beams = 4;
  double length_penalty = 1;  // > 0 favors long sequences, < 0 short ones
  int64_t max_tokens = 20;
  std::vector<int32_t> end_ids;
};

struct Hypothesis {
  std::vector<int32_t> ids;  // generated, the end token included
  double score = 0;
  bool ended = false;  // with an end token
};

class BeamSearch {
 public:
  explicit BeamSearch(BeamOptions options);

  // The generated tokens of each live beam; initially one empty beam.
  const std::vector<std::vector<int32_t>>& live() const { return live_; }
  // Whether the search has ended: there are as many finished hypotheses as beams and the best live one, at its current
  // length, does not beat the worst of them; or max_tokens is reached.
  bool done() const { return done_; }

  // log_probabilities[i]: of the next token after live beam i. Returns the parent beam of each new live beam.
  std::vector<int32_t> advance(std::span<const std::vector<double>> log_probabilities);

  // The best hypothesis, treating live beams as finished.
  Hypothesis best() const;

 private:
  double score_of(double sum, size_t length) const;
  void finish(Hypothesis hypothesis);

  BeamOptions options_;
  std::vector<std::vector<int32_t>> live_{1};
  std::vector<double> sums_{0};
  std::vector<Hypothesis> finished_;  // best first, at most `beams`
  bool done_ = false;
};

}  // namespace roformer
