// The input of the first layer (compatibility.md 3.3, step 1): word + segment (+ position) embedding, norm, dropout,
// and a projection if the embedding size is not the hidden size.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "nn/batch.h"
#include "nn/parameters.h"

namespace roformer {

struct EmbeddingsConfig {
  int64_t vocabulary = 0, segments = 0, width = 0, hidden = 0;  // segments 0: no segment embedding
  int64_t learned_positions = 0;                                // rows of a learned position table, 0 = none
  // Longer texts use the hierarchical extension (position/hierarchical.h), up to the square of that; otherwise they are
  // a DataError.
  bool hierarchical = false;
  double dropout = 0;
  NormConfig norm = {};
  double word_scale = 1;  // multiplies the word embeddings
  bool normed = true;     // false: the layers norm their inputs
};

// Position embeddings that are added to the input: a row of `table` per token.
struct InputPositions {
  Parameter table;  // [rows, E]; constant, or the learned table
  Indices rows;     // [T]
};

class Embeddings {
 public:
  // Parameters below `scope`: "words.weight", "segments.weight", "positions.weight", "norm" and "projection". `words`:
  // word embeddings shared with another, in place of its own.
  Embeddings(const Scope& scope, const EmbeddingsConfig& config, const Parameter* words = nullptr);

  // → [T, hidden]. `constant` is a fixed input encoding (sinusoidal), or null; `site` is the dropout site.
  Value forward(const Context& context, const Batch& batch, const InputPositions* constant, uint64_t site) const;

  const Parameter& word_embeddings() const { return word_embeddings_; }
  Parameter& word_embeddings() { return word_embeddings_; }
  // Appends the projection's weight, if there is one.
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
