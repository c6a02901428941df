#include "training/optimizer.h"

#include <fmt/ranges.h>

#include <cmath>
#include <memory>

#include "base/error.h"

namespace roformer {

namespace {

using NamedTensors = std::vector<std::pair<std::string, Tensor>>;

std::vector<std::string> names_of(const Model& model) {
  std::vector<std::string> names;
  for (const NamedParameter& named : model.parameters()) names.push_back(named.name);
  return names;
}

double decay_of(const NamedParameter& named, const OptimizerOptions& options) {
  return decays(named.role) ? options.weight_decay : 0;
}

class AdamW final : public Optimizer {
 public:
  AdamW(const Model& model, const OptimizerOptions& options)
      : Optimizer(model, options.clip_norm), options_(options), names_(names_of(model)) {
    for (const NamedParameter& named : model.parameters()) {
      const Tensor &value = named.parameter.value, &gradient = named.parameter.gradient;
      tensors_.push_back(
          {gradient, value, backend().zeros(value.shape()), backend().zeros(value.shape()), decay_of(named, options)});
    }
  }

  NamedTensors state() const override {
    NamedTensors tensors;
    for (size_t i = 0; i < names_.size(); ++i) {
      tensors.emplace_back("first_moment." + names_[i], tensors_[i].first_moment);
      tensors.emplace_back("second_moment." + names_[i], tensors_[i].second_moment);
    }
    return tensors;
  }

 private:
  void update(const Update& update) override {
    backend().adamw({.step = update.step,
                     .learning_rate = update.learning_rate,
                     .beta1 = options_.beta1,
                     .beta2 = options_.beta2,
                     .epsilon = options_.epsilon,
                     .gradient_scale = update.gradient_scale,
                     .zero_gradients = update.zero_gradients},
                    tensors_);
  }

  OptimizerOptions options_;
  std::vector<std::string> names_;
  std::vector<AdamWTensors> tensors_;
};

}  // namespace

const std::vector<std::string>& optimizer_names() {
  static const std::vector<std::string> names = {"adamw"};
  return names;
}

Optimizer::Optimizer(const Model& model, double clip_norm) : backend_(model.backend()), clip_norm_(clip_norm) {
  for (const NamedParameter& named : model.parameters()) gradients_.push_back(named.parameter.gradient);
}

void Optimizer::zero_gradients() {
  for (const Tensor& gradient : gradients_) {
    if (!zero_) backend_.fill(gradient, 0);
  }
  zero_ = false;
}

double Optimizer::gradient_norm() const { return std::sqrt(backend_.squared_norm(gradients_)); }

void Optimizer::step(int64_t step, double learning_rate, double norm, bool keep_gradients) {
  const bool clip = clip_norm_ > 0 && norm > clip_norm_;
  update({.step = step,
          .learning_rate = learning_rate,
          .gradient_scale = clip ? clip_norm_ / norm : 1,
          .zero_gradients = !keep_gradients});
  zero_ = !keep_gradients;
}

std::unique_ptr<Optimizer> make_optimizer(const Model& model, const OptimizerOptions& options) {
  if (options.kind == "adamw") return std::make_unique<AdamW>(model, options);
  throw UsageError("{} is {}; expected {}", FieldName("optimizer"), quote(options.kind),
                   fmt::join(optimizer_names(), ", "));
}

}  // namespace roformer
