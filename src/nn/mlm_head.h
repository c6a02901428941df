// The masked-language-model head: dense, activation, layer norm, then the word embeddings as output weights (tied) and
// a bias for each token (compatibility.md 3.2, cls.predictions).
#pragma once

#include <string>

#include "nn/parameters.h"

namespace roformer {

class MlmHead {
 public:
  MlmHead(Backend& backend, int64_t hidden, int64_t width, int64_t vocabulary, Activation activation,
          double norm_epsilon, bool trainable)
      : activation_(activation),
        transform_(backend, hidden, width, trainable),
        norm_(backend, width, norm_epsilon, trainable),
        bias_(make_parameter(backend, {vocabulary}, trainable)) {}

  // hidden rows [N, H] → [N, E], what is compared with the word embeddings.
  Value transform(const Context& context, const Value& hidden) const {
    return norm_.forward(context, transform_.forward(context, hidden, activation_));
  }
  // [N, V]
  Value logits(const Context& context, const Value& hidden, const Parameter& words) const {
    return linear(context, transform(context, hidden), words, bias_);
  }
  LossSum loss(const Context& context, const Value& hidden, const Parameter& words, std::span<const int32_t> labels,
               double gradient_scale) const {
    return cross_entropy(context, transform(context, hidden), words, bias_, labels, gradient_scale);
  }

  void visit(const ParameterVisitor& visitor) const {
    transform_.visit("cls.predictions.transform.dense", visitor);
    norm_.visit("cls.predictions.transform.LayerNorm", visitor);
    visitor("cls.predictions.bias", bias_, ParameterRole::bias);
  }

 private:
  Activation activation_;
  LinearLayer transform_;
  LayerNormLayer norm_;
  Parameter bias_;
};

}  // namespace roformer
