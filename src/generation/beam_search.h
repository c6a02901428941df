// Beam search as transformers does it (generation/beam_search.py, early_stopping=False), apart from any model: of each
// beam's next tokens the best of all go on. A sequence that ends has the score log P / length^penalty, its length being
// that of what was generated, the end token included.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace roformer {

struct BeamOptions {
  int64_t beams = 4;
  double length_penalty = 1;  // above 0 favors long sequences, below 0 short ones
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

  // What is generated of each live beam; one that is empty at first.
  const std::vector<std::vector<int32_t>>& live() const { return live_; }
  // Whether nothing better can come: there are as many finished sequences as beams, and the best live one, as long as
  // it is, would not beat the worst of them; or the longest length is reached.
  bool done() const { return done_; }

  // log_probabilities[i]: of the next token after live beam i. Returns which of the beams each new live beam goes on
  // from.
  std::vector<int32_t> advance(std::span<const std::vector<double>> log_probabilities);

  // The best finished sequence; those that are live count as they are.
  Hypothesis best() const;

 private:
  double score_of(double sum, size_t length) const;
  void finish(Hypothesis hypothesis);

  BeamOptions options_;
  std::vector<std::vector<int32_t>> live_{1};
  std::vector<double> sums_{0};
  std::vector<Hypothesis> finished_;  // the best first, at most `beams`
  bool done_ = false;
};

}  // namespace roformer
