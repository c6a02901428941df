#include "training/lora.h"

#include <algorithm>
#include <cmath>

#include "training/scaled.h"

namespace roformer {

namespace {

template <class Real>
void fill_uniform(const Tensor& x, double bound, RandomStream random) {
  Generator generator(random);
  for (int64_t i = 0; i < x.elements(); ++i) {
    x.data<Real>()[i] = static_cast<Real>(bound * (2 * generator.uniform() - 1));
  }
}

Parameter zero_parameter(Backend& backend, const Shape& shape) { return {backend.zeros(shape), backend.zeros(shape)}; }

}  // namespace

LoraAdapters::LoraAdapters(const Model& model, const LoraOptions& options, double layer_decay, RandomStream random)
    : backend_(model.backend()), scale_(options.scale()) {
  for (size_t i = 0; i < model.table().size(); ++i) {
    const std::string& name = model.table()[i].spec.name;
    if (!is_lora_target(options, name)) continue;
    const Parameter& weight = model.parameters()[i].parameter;
    const int64_t outputs = weight.value.dim(0), inputs = weight.value.dim(1), rank = *options.rank;
    Adapter adapter{.name = model.parameters()[i].name,
                    .weight = weight,
                    .base = copy_of(backend_, weight.value),
                    .a = zero_parameter(backend_, {rank, inputs}),
                    .b = zero_parameter(backend_, {outputs, rank}),
                    .rate = layer_rate(model.config(), name, layer_decay)};
    const RandomStream stream = substream(random, adapters_.size());
    const double bound = 1 / std::sqrt(static_cast<double>(inputs));
    backend_.write(adapter.a.value, [&](const Tensor& host) {
      if (host.dtype() == DType::float64) {
        fill_uniform<double>(host, bound, stream);
      } else {
        fill_uniform<float>(host, bound, stream);
      }
    });
    adapters_.push_back(std::move(adapter));
  }
}

std::vector<TrainedParameter> LoraAdapters::replace(std::vector<TrainedParameter> trained) const {
  std::erase_if(trained, [&](const TrainedParameter& one) {
    return std::ranges::any_of(adapters_, [&](const Adapter& adapter) { return adapter.name == one.name; });
  });
  for (const Adapter& adapter : adapters_) {
    trained.push_back({adapter.name + ".lora_A", adapter.a, ParameterRole::weight, adapter.rate});
    trained.push_back({adapter.name + ".lora_B", adapter.b, ParameterRole::weight, adapter.rate});
  }
  return trained;
}

void LoraAdapters::zero_gradients() {
  for (const Adapter& one : adapters_) backend_.fill(one.weight.gradient, 0);
}

void LoraAdapters::collect_gradients() {
  for (const Adapter& one : adapters_) {
    const Tensor a = scaled(backend_, scale_, one.a.value), b = scaled(backend_, scale_, one.b.value);
    const Tensor db = backend_.empty(one.b.value.shape());
    backend_.linear(one.weight.gradient, a, {}, Activation::none, db, {});
    backend_.add(db, one.b.gradient);
    backend_.linear_backward_weight(b, one.weight.gradient, one.a.gradient, {});
  }
}

void LoraAdapters::merge() {
  for (const Adapter& one : adapters_) {
    backend_.copy(one.base, one.weight.value);
    backend_.linear_backward_input(scaled(backend_, scale_, one.b.value), one.a.value, one.weight.value, true);
  }
}

std::vector<std::pair<std::string, Tensor>> LoraAdapters::state() const {
  std::vector<std::pair<std::string, Tensor>> state;
  for (const Adapter& one : adapters_) {
    state.emplace_back("lora_base." + one.name, one.base);
    state.emplace_back("lora_A." + one.name, one.a.value);
    state.emplace_back("lora_B." + one.name, one.b.value);
  }
  return state;
}

}  // namespace roformer
