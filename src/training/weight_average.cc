#include "training/weight_average.h"

#include <algorithm>

#include "training/scaled.h"

namespace roformer {

WeightAverage::WeightAverage(const Model& model, double decay) : backend_(model.backend()), decay_(decay) {
  for (const auto& [name, parameter, role] : model.parameters()) {
    if (!parameter.gradient.defined()) continue;
    averages_.push_back({name, parameter.value, copy_of(backend_, parameter.value)});
  }
}

void WeightAverage::update(int64_t step) {
  const auto count = static_cast<double>(step);
  const double decay = std::min(decay_, (1 + count) / (10 + count));
  for (Average& one : averages_) {
    const Tensor next = scaled(backend_, decay, one.average);
    add_scaled(backend_, 1 - decay, one.weight, next);
    one.average = next;
  }
}

void WeightAverage::exchange() {
  for (const Average& one : averages_) {
    const Tensor weight = copy_of(backend_, one.weight);
    backend_.copy(one.average, one.weight);
    backend_.copy(weight, one.average);
  }
}

std::vector<std::pair<std::string, Tensor>> WeightAverage::state() const {
  std::vector<std::pair<std::string, Tensor>> state;
  for (const Average& one : averages_) state.emplace_back("average." + one.name, one.average);
  return state;
}

}  // namespace roformer
