#include "training/optimizer.h"

#include <cmath>

namespace roformer {

AdamW::AdamW(const Model& model, const AdamWOptions& options) : backend_(model.backend()), options_(options) {
  for (const auto& [name, parameter, role] : model.parameters()) {
    const Shape shape = parameter.value.shape();
    names_.push_back(name);
    gradients_.push_back(parameter.gradient);
    tensors_.push_back({parameter.gradient, parameter.value, backend_.zeros(shape), backend_.zeros(shape),
                        decays(role) ? options.weight_decay : 0});
  }
}

void AdamW::zero_gradients() {
  for (const Tensor& gradient : gradients_) {
    if (!zero_) backend_.fill(gradient, 0);
  }
  zero_ = false;
}

double AdamW::gradient_norm() const { return std::sqrt(backend_.squared_norm(gradients_)); }

void AdamW::step(int64_t step, double learning_rate, double norm, bool keep_gradients) {
  const bool clip = options_.clip_norm > 0 && norm > options_.clip_norm;
  backend_.adamw({.step = step,
                  .learning_rate = learning_rate,
                  .beta1 = options_.beta1,
                  .beta2 = options_.beta2,
                  .epsilon = options_.epsilon,
                  .gradient_scale = clip ? options_.clip_norm / norm : 1,
                  .zero_gradients = !keep_gradients},
                 tensors_);
  zero_ = !keep_gradients;
}

std::vector<std::pair<std::string, Tensor>> AdamW::state() const {
  std::vector<std::pair<std::string, Tensor>> tensors;
  for (size_t i = 0; i < names_.size(); ++i) {
    tensors.emplace_back("first_moment." + names_[i], tensors_[i].first_moment);
    tensors.emplace_back("second_moment." + names_[i], tensors_[i].second_moment);
  }
  return tensors;
}

}  // namespace roformer
