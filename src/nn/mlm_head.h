// The language-model head of masked and causal models: dense, activation, norm, then the output projection (tied to the
// word embeddings, or a separate matrix) with a bias per token (compatibility.md 3.2, cls.predictions). RoFormerV2 has
// only the output projection (3.5).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "nn/parameters.h"

namespace roformer {

struct MlmHeadConfig {
  int64_t hidden = 0, width = 0, vocabulary = 0;
  Activation activation = Activation::gelu;
  NormConfig norm = {};
  bool plain = false;  // RoFormerV2: no transform; hidden = width
  bool biased = true;
  bool tied = true;
  double logit_cap = 0;  // 0: none
};

class MlmHead {
 public:
  // Parameters below `scope`: "dense", "norm", and "bias" or, if not tied, "output".
  MlmHead(const Scope& scope, const MlmHeadConfig& config) : config_(config) {
    if (!config.plain) {
      transform_.emplace(scope / "dense", config.hidden, config.width);
      norm_.emplace(scope / "norm", config.width, config.norm);
    }
    if (!config.tied) {
      decoder_ = (scope / "output.weight").tensor({config.vocabulary, config.width}, ParameterRole::weight);
    }
    // Files may hold two biases; if the decoder is not tied, transformers uses the decoder's.
    if (config.biased) {
      bias_ = (scope / (config.tied ? "bias" : "output.bias")).tensor({config.vocabulary}, ParameterRole::bias);
    }
  }

  // Hidden rows [N, H] → [N, E], the input of the output projection.
  Value transform(const Context& context, const Value& hidden) const {
    return config_.plain ? hidden : norm_->forward(context, transform_->forward(context, hidden, config_.activation));
  }
  // [N, V]. `words` are the model's word embeddings.
  Value logits(const Context& context, const Value& hidden, const Parameter& words) const {
    const Value logits = linear(context, transform(context, hidden), output(words), bias_);
    return config_.logit_cap == 0 ? logits : soft_cap(context, logits, config_.logit_cap);
  }
  Loss loss(const Context& context, const Value& hidden, const Parameter& words, const LabelSpec& labels) const {
    LabelSpec capped = labels;
    capped.logit_cap = config_.logit_cap;
    return cross_entropy(context, transform(context, hidden), output(words), bias_, capped);
  }
  // Appends its own weights, not the word embeddings.
  void linear_weights(std::vector<Parameter*>& weights) {
    if (transform_) weights.push_back(&transform_->weight);
    if (decoder_.defined()) weights.push_back(&decoder_);
  }

 private:
  const Parameter& output(const Parameter& words) const { return config_.tied ? words : decoder_; }

  MlmHeadConfig config_;
  std::optional<LinearLayer> transform_;
  std::optional<NormLayer> norm_;
  Parameter bias_, decoder_;
};

}  // namespace roformer
