// Layers own their parameters and tell them, by the ecosystem's names, to whoever visits: the loader, the optimiser,
// the initialiser. nn/ is layers only: it knows no files, no tasks, no training loop. A base class Module with
// registration was rejected; a layer is a plain struct with a `visit` of three lines, and nothing can be forgotten in a
// constructor.
#pragma once

#include <functional>
#include <string>

#include "ops/ops.h"

namespace roformer {

enum class ParameterRole { weight, embedding, bias, norm_gain, norm_bias };

// Norms and biases are not decayed.
inline bool decays(ParameterRole role) { return role == ParameterRole::weight || role == ParameterRole::embedding; }

using ParameterVisitor = std::function<void(const std::string& name, const Parameter& parameter, ParameterRole role)>;

// Zero-filled; with a zero-filled gradient if trainable.
inline Parameter make_parameter(Backend& backend, Shape shape, bool trainable) {
  Parameter parameter{backend.empty(shape), trainable ? backend.empty(shape) : Tensor()};
  backend.fill(parameter.value, 0);
  if (trainable) backend.fill(parameter.gradient, 0);
  return parameter;
}

// Rows of a parameter under a name of their own: q, k and v of one fused projection.
inline Parameter row_range(const Parameter& parameter, int64_t begin, int64_t count) {
  return {parameter.value.row_range(begin, count),
          parameter.gradient.defined() ? parameter.gradient.row_range(begin, count) : Tensor()};
}

struct LinearLayer {
  Parameter weight, bias;  // [out, in], [out]

  LinearLayer(Backend& backend, int64_t inputs, int64_t outputs, bool trainable)
      : weight(make_parameter(backend, {outputs, inputs}, trainable)),
        bias(make_parameter(backend, {outputs}, trainable)) {}

  Value forward(const Context& context, const Value& x, Activation activation = Activation::none) const {
    return linear(context, x, weight, bias, activation);
  }
  void visit(const std::string& name, const ParameterVisitor& visitor) const {
    visitor(name + ".weight", weight, ParameterRole::weight);
    visitor(name + ".bias", bias, ParameterRole::bias);
  }
};

struct LayerNormLayer {
  Parameter gain, bias;  // [E]
  double epsilon;

  LayerNormLayer(Backend& backend, int64_t width, double eps, bool trainable)
      : gain(make_parameter(backend, {width}, trainable)),
        bias(make_parameter(backend, {width}, trainable)),
        epsilon(eps) {
    backend.fill(gain.value, 1);
  }

  // LayerNorm(residual + dropout(x))
  Value forward(const Context& context, const Value& x, const Value& residual = {}, const Dropout& drop = {}) const {
    return layer_norm(context, x, residual, drop, gain, bias, epsilon);
  }
  void visit(const std::string& name, const ParameterVisitor& visitor) const {
    visitor(name + ".weight", gain, ParameterRole::norm_gain);
    visitor(name + ".bias", bias, ParameterRole::norm_bias);
  }
};

}  // namespace roformer
