// The interface of a search: what it says of the hypotheses of one source, independent of the model that computes them.
// BeamSearch (beam_search.h) takes the best continuations, SampledSearch (sampled_search.h) drawn ones.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace roformer {

struct Hypothesis {
  std::vector<int32_t> ids;  // generated, the end token included
  double score = 0;
  bool ended = false;  // with an end token
};

struct NextToken {
  int32_t id;
  double log_probability;
};

class HypothesisSearch {
 public:
  virtual ~HypothesisSearch() = default;

  // The generated tokens of each live hypothesis; initially of an empty one.
  virtual const std::vector<std::vector<int32_t>>& live() const = 0;
  virtual bool done() const = 0;
  // tokens[i]: these after live hypothesis i. Returns the parent of each new live hypothesis.
  virtual std::vector<int32_t> advance(std::span<const std::vector<NextToken>> tokens) = 0;
  // At most `count` of the hypotheses, first that which is the result.
  virtual std::vector<Hypothesis> best(size_t count) const = 0;
};

}  // namespace roformer
