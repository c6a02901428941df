// How well a masked or causal language model predicts a text: mean loss and accuracy per predicted token, with
// intervals.
#pragma once

#include <optional>

#include "metrics/statistics.h"
#include "text/tokenizer.h"
#include "training/objective.h"
#include "training/pretrain_options.h"

namespace roformer {

struct LanguageScore {
  Evaluation mean;
  int64_t sequences = 0;
  // 95 % intervals of the two means, from how sequences differ: both are ratios of sums over sequences, whose variance
  // is Σ (sum - mean · labels)² · m / (m - 1) / (Σ labels)² over m sequences; Student's t. None of a single sequence.
  std::optional<Bounds> loss, accuracy;
};

// On the text of options.data: documents are packed as in training into sequences of options.max_length, batches have
// options.batch_tokens, and labels are those of `objective` and its options. A masked model gets the masks that a
// training with this seed validates with, so the loss on a run's validation_data is the one it logged. DataError for a
// text without tokens to predict and for a loss that is not finite; Interrupted if a stop is requested.
LanguageScore evaluate_language(const Model& model, const Tokenizer& tokenizer, const PretrainOptions& options);

}  // namespace roformer
