#include "nn/parameters.h"

#include <utility>

#include "base/error.h"
#include "nn/constant_table.h"

namespace roformer {

namespace {

constexpr int64_t kGradientAlignment = 16;  // elements: a cache line of float32

int64_t aligned(int64_t elements) {
  return (elements + kGradientAlignment - 1) / kGradientAlignment * kGradientAlignment;
}

int64_t rows_of(const Shape& shape) { return shape[0]; }

}  // namespace

Parameter row_range(const Parameter& parameter, int64_t begin, int64_t count) {
  if (!parameter.value.defined()) return {};
  return {parameter.value.row_range(begin, count),
          parameter.gradient.defined() ? parameter.gradient.row_range(begin, count) : Tensor()};
}

void prepare_weights(Backend& backend, std::span<Parameter* const> weights, PassSize passes) {
  std::vector<Tensor> rows;
  rows.reserve(weights.size());
  for (Parameter* weight : weights) rows.push_back(std::exchange(weight->value, Tensor()));
  const auto prepared = backend.prepare(rows, passes);
  for (size_t i = 0; i < weights.size(); ++i) {
    weights[i]->value = rows[i];
    weights[i]->prepared = prepared[i];
  }
}

void prepare_table(Backend& backend, Parameter& weight, PassSize passes) {
  Tensor rows = weight.value;
  weight.prepared = backend.prepare({&rows, 1}, passes).front();
  if (rows.defined()) weight.value = rows;
}

Shape joined_shape(std::span<const ParameterSpec> parts) {
  int64_t rows = 0;
  for (const ParameterSpec& part : parts) rows += rows_of(part.shape);
  Shape shape{rows};
  for (int i = 1; i < parts.front().shape.rank(); ++i) shape.push_back(parts.front().shape[i]);
  return shape;
}

Parameter ParameterSource::tensor(const std::string& name, const Shape& shape, ParameterRole role,
                                  const Initializer& initializer) {
  ParameterSpec spec{name, shape, role};
  Parameter parameter = provide({&spec, 1}, initializer);
  table_.push_back({std::move(spec), parameter});
  return parameter;
}

LinearParameters ParameterSource::linear(std::span<const Output> parts, int64_t inputs, bool biased,
                                         ParameterRole weight_role) {
  std::vector<ParameterSpec> weights, biases;
  for (const auto& [name, outputs] : parts) {
    weights.push_back({name + ".weight", {outputs, inputs}, weight_role});
    biases.push_back({name + ".bias", {outputs}, ParameterRole::bias});
  }
  LinearParameters result{provide(weights, {}), biased ? provide(biases, {}) : Parameter()};
  const bool whole = parts.size() == 1;
  int64_t begin = 0;
  for (size_t i = 0; i < parts.size(); ++i) {
    const int64_t outputs = parts[i].outputs;
    const auto part = [&](const Parameter& of) { return whole ? of : row_range(of, begin, outputs); };
    table_.push_back({std::move(weights[i]), part(result.weight)});
    if (biased) table_.push_back({std::move(biases[i]), part(result.bias)});
    begin += outputs;
  }
  return result;
}

NewParameters::NewParameters(Backend& backend, bool trainable, const ParameterTable* declared)
    : backend_(backend), trainable_(trainable) {
  if (!trainable || declared == nullptr) return;
  int64_t elements = 0;
  for (const TableEntry& entry : *declared) elements += aligned(entry.spec.shape.elements());
  arena_ = backend.zeros({1, elements});
}

Tensor NewParameters::gradient(const Shape& shape) {
  if (!trainable_) return {};
  if (!arena_.defined()) return backend_.zeros(shape);
  const int64_t begin = used_;
  used_ += aligned(shape.elements());
  return arena_.column_range(begin, shape.elements()).reshaped(shape);
}

Parameter NewParameters::provide(std::span<const ParameterSpec> parts, const Initializer& initializer) {
  const Shape shape = joined_shape(parts);
  Parameter parameter{backend().zeros(shape), gradient(shape)};
  if (!initializer) return parameter;
  const int64_t rows = parameter.value.rows(), columns = parameter.value.columns();
  const auto value = [&](int64_t row, int64_t column) { return initializer(row * columns + column); };
  backend().copy(constant_table(backend(), rows, columns, value), parameter.value.reshaped({rows, columns}));
  return parameter;
}

LinearLayer::LinearLayer(const Scope& scope, std::span<const ParameterSource::Output> parts, int64_t inputs,
                         bool biased) {
  std::vector<ParameterSource::Output> full;
  for (const auto& [name, outputs] : parts) full.push_back({(scope / name).name, outputs});
  auto [of_weight, of_bias] = scope.source.linear(full, inputs, biased, weight_role(scope));
  weight = of_weight;
  bias = of_bias;
}

}  // namespace roformer
