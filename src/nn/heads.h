// The heads beside the language-model head (mlm_head.h): the pooler and the classifiers of compatibility.md 3.2 and
// 3.3.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "nn/batch.h"
#include "nn/parameters.h"

namespace roformer {

// Which token of each sequence a head reads.
enum class TokenOfSequence { first, last };

// The rows of these tokens in a batch. DataError for an empty sequence.
std::vector<int32_t> token_rows(const Batch& batch, TokenOfSequence which);

// Dense and activation over the first token: BERT's (tanh) and RoFormer-Sim's (linear).
class Pooler {
 public:
  Pooler(const Scope& scope, int64_t hidden, Activation activation)
      : activation_(activation), dense_(scope, hidden, hidden) {}

  // hidden [T, H] → [sequences, H].
  Value forward(const Context& context, const Value& hidden, const Batch& batch) const;
  void linear_weights(std::vector<Parameter*>& weights) { weights.push_back(&dense_.weight); }  // appends it

 private:
  Activation activation_;
  LinearLayer dense_;
};

// How a sequence classifier summarizes the hidden states of a sequence.
enum class Summary {
  pooler,  // BERT: the output of the pooler
  first,   // the first token
  last,    // the last token: the default of transformers' RoFormerForMultipleChoice
  mean     // over all tokens
};

struct ClassifierConfig {
  int64_t hidden = 0, labels = 0;
  // A dense layer before the output layer: RoFormer's sequence classification has [H, H] with the model's activation,
  // and its multiple choice may have one ("summary_use_proj").
  bool dense = false;
  Activation activation = Activation::none;
  double dropout = 0;  // before each of the two layers
};

class Classifier {
 public:
  // Parameters below `scope`: "dense" and "output".
  Classifier(const Scope& scope, const ClassifierConfig& config);

  // x [N, H] → [N, labels]. `site` and site + 1 are the dropout sites.
  Value forward(const Context& context, const Value& x, uint64_t site) const;
  void linear_weights(std::vector<Parameter*>& weights) {  // appends them
    if (dense_) weights.push_back(&dense_->weight);
    weights.push_back(&output_.weight);
  }

 private:
  ClassifierConfig config_;
  std::optional<LinearLayer> dense_;
  LinearLayer output_;
};

}  // namespace roformer
