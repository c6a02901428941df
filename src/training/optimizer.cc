#include "training/optimizer.h"

#include <cmath>

namespace roformer {

AdamW::AdamW(const Model& model, const AdamWOptions& options) : backend_(model.backend()), options_(options) {
  for (const NamedParameter& named : model.parameters()) {
    Slot slot{named, backend_.empty(named.parameter.value.shape()), backend_.empty(named.parameter.value.shape())};
    backend_.fill(slot.first, 0);
    backend_.fill(slot.second, 0);
    slots_.push_back(std::move(slot));
  }
}

void AdamW::zero_gradients() {
  for (const Slot& slot : slots_) backend_.fill(slot.named.parameter.gradient, 0);
}

double AdamW::gradient_norm() const {
  double sum = 0;
  for (const Slot& slot : slots_) sum += backend_.squared_norm(slot.named.parameter.gradient);
  return std::sqrt(sum);
}

void AdamW::step(int64_t step, double learning_rate, double norm) {
  const bool clip = options_.clip_norm > 0 && norm > options_.clip_norm;
  AdamWStep update{.step = step,
                   .learning_rate = learning_rate,
                   .beta1 = options_.beta1,
                   .beta2 = options_.beta2,
                   .epsilon = options_.epsilon,
                   .gradient_scale = clip ? options_.clip_norm / norm : 1};
  for (const Slot& slot : slots_) {
    update.weight_decay = decays(slot.named.role) ? options_.weight_decay : 0;
    backend_.adamw(update, slot.named.parameter.gradient, slot.named.parameter.value, slot.first, slot.second);
  }
}

std::vector<std::pair<std::string, Tensor>> AdamW::state() const {
  std::vector<std::pair<std::string, Tensor>> tensors;
  for (const Slot& slot : slots_) {
    tensors.emplace_back("first_moment." + slot.named.name, slot.first);
    tensors.emplace_back("second_moment." + slot.named.name, slot.second);
  }
  return tensors;
}

}  // namespace roformer
