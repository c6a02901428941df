// What enters the first layer (compatibility.md 3.3, step 1): word + segment (+ position) embedding, norm, dropout, and
// a projection where the embedding size is not the hidden size.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "nn/batch.h"
#include "nn/parameters.h"

namespace roformer {

struct EmbeddingsConfig {
  int64_t vocabulary = 0, segments = 0, width = 0, hidden = 0;  // no segments: none are looked up
  int64_t learned_positions = 0;                                // rows of a learned position table, 0 = none
  // Longer texts go on hierarchically (position/hierarchical.h), up to the square of that; else they are refused.
  bool hierarchical = false;
  double dropout = 0;
  NormConfig norm = {};
  double word_scale = 1;  // multiplies the words' rows
  bool normed = true;     // else the layers norm what enters them
};

// Positions that are added to the input: a row of `table` for each token.
struct InputPositions {
  Parameter table;  // [rows, E]; constant, or the learned table
  Indices rows;     // [T]
};

class Embeddings {
 public:
  // Parameters "words.weight", "segments.weight", "positions.weight", "norm" and "projection" below `scope`.
  Embeddings(const Scope& scope, const EmbeddingsConfig& config);

  // → [T, hidden]. `constant` is an input encoding that is not learned (sinusoidal), or null.
  Value forward(const Context& context, const Batch& batch, const InputPositions* constant, uint64_t site) const;

  const Parameter& word_embeddings() const { return word_embeddings_; }
  Parameter& word_embeddings() { return word_embeddings_; }
  // Adds the projection's, if there is one.
  void linear_weights(std::vector<Parameter*>& weights) {
    if (project_) weights.push_back(&project_->weight);
  }

 private:
  EmbeddingsConfig config_;
  Parameter word_embeddings_;
  std::optional<Parameter> segments_, positions_;
  std::optional<NormLayer> norm_;
  std::optional<LinearLayer> project_;
};

}  // namespace roformer
