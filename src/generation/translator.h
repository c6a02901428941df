// Translation by an encoder-decoder: beam search, or sampling, over batches of sentences, in which only live hypotheses
// are computed. The encoder runs once, and so do the keys and values of cross-attention, which the beams of a sentence
// share. Two batches are searched at once.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/random.h"
#include "generation/search.h"
#include "generation/target_prefix.h"
#include "generation/translator_options.h"
#include "models/model.h"

namespace roformer {

// Of one source.
struct SourceSettings {
  const TargetPrefix* prefix = nullptr;  // what its translation begins with; null: nothing
  RandomStream random = {};              // that draws are a function of
};

class Translator {
 public:
  using Sequences = std::span<const std::vector<int32_t>>;

  // The model must outlive it. DataError for one that is no encoder-decoder, UsageError for options out of range.
  Translator(const Model& model, TranslatorOptions options);

  // Of each source (ids in the encoder's vocabulary, with the end token), in order, the best hypotheses, best first, or
  // the draws in their order. `settings`: one for each source, or none. A translation does not depend on the others but
  // by rounding. Interrupted if a stop is requested; DataError, naming a tensor, for logits that are not finite, and
  // where all tokens are excluded.
  std::vector<std::vector<Hypothesis>> run(Sequences sources, std::span<const SourceSettings> settings = {}) const;

  // What a model says of given targets (with their end tokens), in one pass over all their tokens:
  // the natural logarithms of the probabilities of the tokens of each, given its source;
  std::vector<std::vector<double>> score(Sequences sources, Sequences targets) const;
  // the coverage penalty of each, without which its score is that of its probabilities;
  std::vector<double> coverage(Sequences sources, Sequences targets) const;
  // for each target token the number of the source token that it is attended by most, of those whose id
  // `aligned` holds of; −1 where there is none. Attention is that of the step that reads the target token (Chen et al.
  // 2020).
  std::vector<std::vector<int32_t>> align(Sequences sources, Sequences targets,
                                          const std::function<bool(int32_t id)>& aligned) const;

  const TranslatorOptions& options() const { return options_; }

 private:
  class BatchSearch;
  int64_t limit_of(size_t source_tokens, const SourceSettings& settings) const;

  const Model& model_;
  TranslatorOptions options_;
  int64_t layer_;  // alignment_layer
  int32_t start_id_;
  std::vector<int32_t> end_ids_;
};

}  // namespace roformer
