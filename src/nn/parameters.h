// Layers own their parameters and tell them, by the ecosystem's names, to whoever visits: the loader, the optimiser,
// the initialiser. nn/ is layers only: it knows no files, no tasks, no training loop. A base class Module with
// registration was rejected; a layer is a plain struct with a `visit` of three lines, and nothing can be forgotten in a
// constructor.
#pragma once

#include <functional>
#include <string>

#include "backend/layers.h"
#include "ops/ops.h"

namespace roformer {

// Of position encodings: position_weight is trained as any weight; position is a setting that starts as its layer makes
// it. A role of their own, so that models that differ only in their encoding start with the same other weights.
enum class ParameterRole { weight, embedding, bias, norm_gain, norm_bias, position_weight, position };

// Weights are decayed, and filled with random numbers at first; not so norms, biases and settings.
inline bool decays(ParameterRole role) {
  return role == ParameterRole::weight || role == ParameterRole::embedding || role == ParameterRole::position_weight;
}

// A visitor may exchange the tensors of a parameter (a loader puts a mapped file's in their place), unless it is a part
// of another.
using ParameterVisitor = std::function<void(const std::string& name, Parameter& parameter, ParameterRole role)>;

// Zeros; with a gradient of zeros if trainable.
inline Parameter make_parameter(Backend& backend, Shape shape, bool trainable) {
  return {backend.zeros(shape), trainable ? backend.zeros(shape) : Tensor()};
}

// Rows of a parameter under a name of their own: q, k and v of one fused projection.
inline Parameter row_range(const Parameter& parameter, int64_t begin, int64_t count) {
  return {parameter.value.row_range(begin, count),
          parameter.gradient.defined() ? parameter.gradient.row_range(begin, count) : Tensor(), true};
}

struct LinearLayer {
  Parameter weight, bias;  // [out, in], [out]; RoFormerV2's have no bias

  LinearLayer(Backend& backend, int64_t inputs, int64_t outputs, bool trainable, bool biased = true)
      : weight(make_parameter(backend, {outputs, inputs}, trainable)) {
    if (biased) bias = make_parameter(backend, {outputs}, trainable);
  }

  Value forward(const Context& context, const Value& x, Activation activation = Activation::none) const {
    return linear(context, x, weight, bias, activation);
  }
  void visit(const std::string& name, const ParameterVisitor& visitor) {
    visitor(name + ".weight", weight, ParameterRole::weight);
    if (bias.defined()) visitor(name + ".bias", bias, ParameterRole::bias);
  }
  // Outputs begin … begin+count-1 under a name of their own.
  void visit_rows(const std::string& name, int64_t begin, int64_t count, const ParameterVisitor& visitor) {
    Parameter rows = row_range(weight, begin, count);
    visitor(name + ".weight", rows, ParameterRole::weight);
    if (!bias.defined()) return;
    Parameter values = row_range(bias, begin, count);
    visitor(name + ".bias", values, ParameterRole::bias);
  }
};

// Where the norm of a sub-layer f is: post: norm(x + f(x)); pre: x + f(norm(x)) (Xiong et al. 2020).
enum class NormPlacement { post, pre };

struct NormLayer {
  NormShape shape;
  Parameter gain, bias;  // [E]

  NormLayer(Backend& backend, int64_t width, const NormShape& norm, bool trainable) : shape(norm) {
    if (shape.kind != NormKind::rms) {
      gain = make_parameter(backend, {width}, trainable);
      backend.fill(gain.value, 1);
    }
    if (shape.kind == NormKind::layer) bias = make_parameter(backend, {width}, trainable);
  }

  // norm(residual + dropout(x))
  Value forward(const Context& context, const Value& x, const Value& residual = {}, const Dropout& drop = {}) const {
    if (shape.kind != NormKind::layer) return rms_norm(context, x, residual, drop, gain, shape.epsilon);
    return layer_norm(context, x, residual, drop, gain, bias, shape.epsilon);
  }
  void visit(const std::string& name, const ParameterVisitor& visitor) {
    if (gain.defined()) visitor(name + ".weight", gain, ParameterRole::norm_gain);
    if (bias.defined()) visitor(name + ".bias", bias, ParameterRole::norm_bias);
  }
};

// The residual and the norm of a sub-layer f: leave(f(enter(x)), x).
struct ResidualNorm {
  NormPlacement placement;
  NormLayer norm;

  Value enter(const Context& context, const Value& x) const {
    return placement == NormPlacement::pre ? norm.forward(context, x) : x;
  }
  // `y` must not be read again.
  Value leave(const Context& context, const Value& y, const Value& x, const Dropout& drop) const {
    return placement == NormPlacement::pre ? add_residual(context, y, x, drop) : norm.forward(context, y, x, drop);
  }
};

}  // namespace roformer
