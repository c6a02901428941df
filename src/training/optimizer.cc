#include "training/optimizer.h"

#include <fmt/ranges.h>

#include <cmath>
#include <map>
#include <memory>

#include "base/error.h"

namespace roformer {

namespace {

using NamedTensors = std::vector<std::pair<std::string, Tensor>>;

class AdamW final : public Optimizer {
 public:
  AdamW(Backend& backend, const std::vector<TrainedParameter>& trained, const OptimizerOptions& options)
      : Optimizer(backend, trained, options.clip_norm), options_(options) {
    for (const auto& [name, parameter, role, rate] : trained) {
      const Tensor &value = parameter.value, &gradient = parameter.gradient;
      names_.push_back(name);
      tensors_.push_back({gradient, value, backend.zeros(value.shape()), backend.zeros(value.shape()),
                          decays(role) ? options.weight_decay : 0});
      by_rate_[rate].push_back(tensors_.back());
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
    for (const auto& [rate, tensors] : by_rate_) {
      backend().adamw({.step = update.step,
                       .learning_rate = update.learning_rate * rate,
                       .beta1 = options_.beta1,
                       .beta2 = options_.beta2,
                       .epsilon = options_.epsilon,
                       .gradient_scale = update.gradient_scale,
                       .zero_gradients = update.zero_gradients},
                      tensors);
    }
  }

  OptimizerOptions options_;
  std::vector<std::string> names_;
  std::vector<AdamWTensors> tensors_;
  std::map<double, std::vector<AdamWTensors>> by_rate_;  // the same, by their share of the learning rate
};

}  // namespace

const std::vector<std::string>& optimizer_names() {
  static const std::vector<std::string> names = {"adamw"};
  return names;
}

Optimizer::Optimizer(Backend& backend, const std::vector<TrainedParameter>& trained, double clip_norm)
    : backend_(backend), clip_norm_(clip_norm) {
  for (const TrainedParameter& one : trained) gradients_.push_back(one.parameter.gradient);
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
  return make_optimizer(model.backend(), trained_parameters(model, options.layer_decay.value_or(1)), options);
}

std::unique_ptr<Optimizer> make_optimizer(Backend& backend, const std::vector<TrainedParameter>& trained,
                                          const OptimizerOptions& options) {
  if (options.kind == "adamw") return std::make_unique<AdamW>(backend, trained, options);
  throw UsageError("{} is {}; expected {}", FieldName("optimizer"), quote(options.kind),
                   fmt::join(optimizer_names(), ", "));
}

}  // namespace roformer
