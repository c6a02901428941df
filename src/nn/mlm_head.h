// The language-model head, of masked and causal models alike: dense, activation, norm, then the word embeddings as
// output weights (tied, or a matrix of its own) and a bias for each token (compatibility.md 3.2, cls.predictions).
// RoFormerV2's has the output weights only (3.5).
#pragma once

#include <optional>
#include <string>

#include "nn/parameters.h"

namespace roformer {

struct MlmHeadShape {
  int64_t hidden = 0, width = 0, vocabulary = 0;
  Activation activation = Activation::gelu;
  NormShape norm = {};
  bool plain = false;  // RoFormerV2: no transform, no bias; hidden = width
  bool tied = true;
};

class MlmHead {
 public:
  MlmHead(Backend& backend, const MlmHeadShape& shape, bool trainable) : shape_(shape) {
    if (!shape.plain) {
      transform_.emplace(backend, shape.hidden, shape.width, trainable);
      norm_.emplace(backend, shape.width, shape.norm, trainable);
      bias_ = make_parameter(backend, {shape.vocabulary}, trainable);
    }
    if (!shape.tied) decoder_ = make_parameter(backend, {shape.vocabulary, shape.width}, trainable);
  }

  // hidden rows [N, H] → [N, E], what is compared with the output weights.
  Value transform(const Context& context, const Value& hidden) const {
    return shape_.plain ? hidden : norm_->forward(context, transform_->forward(context, hidden, shape_.activation));
  }
  // [N, V]. `words` are the model's word embeddings.
  Value logits(const Context& context, const Value& hidden, const Parameter& words) const {
    return linear(context, transform(context, hidden), output(words), bias_);
  }
  LossSum loss(const Context& context, const Value& hidden, const Parameter& words, std::span<const int32_t> labels,
               double gradient_scale) const {
    return cross_entropy(context, transform(context, hidden), output(words), bias_, labels, gradient_scale);
  }

  void visit(const ParameterVisitor& visitor) {
    if (transform_) transform_->visit("cls.predictions.transform.dense", visitor);
    if (norm_) norm_->visit("cls.predictions.transform.LayerNorm", visitor);
    if (decoder_.defined()) visitor("cls.predictions.decoder.weight", decoder_, ParameterRole::weight);
    // Files hold the bias under both names; where the decoder is not tied, transformers computes with its own.
    const char* bias = shape_.tied ? "cls.predictions.bias" : "cls.predictions.decoder.bias";
    if (bias_.defined()) visitor(bias, bias_, ParameterRole::bias);
  }

 private:
  const Parameter& output(const Parameter& words) const { return shape_.tied ? words : decoder_; }

  MlmHeadShape shape_;
  std::optional<LinearLayer> transform_;
  std::optional<NormLayer> norm_;
  Parameter bias_, decoder_;
};

}  // namespace roformer
