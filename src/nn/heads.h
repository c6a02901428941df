// What stands on the trunk beside the language-model head (mlm_head.h): the pooler and the classifiers of
// compatibility.md 3.2 and 3.3.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "nn/batch.h"
#include "nn/parameters.h"

namespace roformer {

// One token of each sequence.
enum class TokenOfSequence { first, last };

// Their rows in a batch. DataError for an empty sequence.
std::vector<int32_t> token_rows(const Batch& batch, TokenOfSequence which);

// Dense and activation over the first token: BERT's (tanh), and that of RoFormer-Sim (linear).
class Pooler {
 public:
  Pooler(const Scope& scope, int64_t hidden, Activation activation)
      : activation_(activation), dense_(scope, hidden, hidden) {}

  // hidden [T, H] → [sequences, H].
  Value forward(const Context& context, const Value& hidden, const Batch& batch) const;
  void linear_weights(std::vector<Parameter*>& weights) { weights.push_back(&dense_.weight); }  // adds it

 private:
  Activation activation_;
  LinearLayer dense_;
};

// How a classifier of sequences sums up the hidden states of one.
enum class Summary {
  pooler,  // BERT: what the pooler gives
  first,   // the first token
  last,    // the last token: what transformers' RoFormerForMultipleChoice does unless told otherwise
  mean     // over all tokens
};

struct ClassifierConfig {
  int64_t hidden = 0, labels = 0;
  // A dense layer before the output one: RoFormer's sequence classification has [H, H] with the model's own
  // activation, and RoFormer's multiple choice may have one ("summary_use_proj").
  bool dense = false;
  Activation activation = Activation::none;
  double dropout = 0;  // before each of the two
};

class Classifier {
 public:
  // Parameters "dense" and "output" below `scope`.
  Classifier(const Scope& scope, const ClassifierConfig& config);

  // x [N, H] → [N, labels]. `site` and site + 1 number the dropouts.
  Value forward(const Context& context, const Value& x, uint64_t site) const;
  void linear_weights(std::vector<Parameter*>& weights) {  // adds them
    if (dense_) weights.push_back(&dense_->weight);
    weights.push_back(&output_.weight);
  }

 private:
  ClassifierConfig config_;
  std::optional<LinearLayer> dense_;
  LinearLayer output_;
};

}  // namespace roformer
