// ParameterSource: where layers get their parameters from. In its constructor a layer requests each by name, shape and
// role; the source decides what it is: nothing yet (to list what a model needs), newly initialized, or loaded from a
// file (models/loading_plan.h). So there is one table of a model's parameters, and loading builds a model once, without
// initializing it first. A base class Module that registers its members was rejected: a layer is a plain struct.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "backend/layers.h"
#include "ops/ops.h"

namespace roformer {

// Position encodings have roles of their own, so that models that differ only in their encoding are initialized with
// the same other weights. position_weight is trained like any weight; position starts at a value that its layer sets.
enum class ParameterRole { weight, embedding, bias, norm_gain, norm_bias, position_weight, position };

// Weights have weight decay and random initial values; norms, biases and `position` have neither.
inline bool decays(ParameterRole role) {
  return role == ParameterRole::weight || role == ParameterRole::embedding || role == ParameterRole::position_weight;
}

// A row range of a parameter, e.g. q, k or v of a fused projection. Undefined if the parameter is.
Parameter row_range(const Parameter& parameter, int64_t begin, int64_t count);

// Prepares weights for inference (Backend::prepare): rows are released where a prepared weight replaces them.
void prepare_weights(Backend& backend, std::span<Parameter* const> weights, PassSize passes);
// The same for a weight that is also a lookup table: its rows are retained.
void prepare_table(Backend& backend, Parameter& weight, PassSize passes);

// One requested parameter. Names are this project's; models/families/family.h maps them to those in files:
// "layers.0.attention.query.weight".
struct ParameterSpec {
  std::string name;
  Shape shape;
  ParameterRole role = ParameterRole::weight;
};

struct TableEntry {
  ParameterSpec spec;
  Parameter parameter;
};
// In order of request; parameters are indexed by this order everywhere.
using ParameterTable = std::vector<TableEntry>;

// The initial value of element i of a parameter, in row-major order; empty: 0.
using Initializer = std::function<double(int64_t i)>;

struct LinearParameters {
  Parameter weight, bias;
};

class ParameterSource {
 public:
  ParameterSource() = default;
  virtual ~ParameterSource() = default;
  ParameterSource(const ParameterSource&) = delete;
  ParameterSource& operator=(const ParameterSource&) = delete;

  Parameter tensor(const std::string& name, const Shape& shape, ParameterRole role,
                   const Initializer& initializer = {});

  // One weight [Σ outputs, inputs] and, if biased, bias [Σ outputs] for several named outputs, stacked by rows.
  struct Output {
    std::string name;  // prefix of ".weight" and ".bias"
    int64_t outputs = 0;
  };
  LinearParameters linear(std::span<const Output> parts, int64_t inputs, bool biased, ParameterRole weight_role);

  // The parameters requested so far.
  const ParameterTable& table() const { return table_; }
  ParameterTable take_table() { return std::move(table_); }

 protected:
  // All `parts` stacked as the rows of one parameter: [Σ rows, columns], or [Σ elements] where they have rank 1.
  virtual Parameter provide(std::span<const ParameterSpec> parts, const Initializer& initializer) = 0;

 private:
  ParameterTable table_;
};

// The shape of `parts` stacked as the rows of one parameter.
Shape joined_shape(std::span<const ParameterSpec> parts);

// Parameters without memory, to list what a model requests.
class DeclaredParameters final : public ParameterSource {
 protected:
  Parameter provide(std::span<const ParameterSpec>, const Initializer&) override { return {}; }
};

// Parameters with their layers' initial values and, if trainable, zero gradients in one arena.
class NewParameters : public ParameterSource {
 public:
  // `declared` is the table of the parameters to come, in order; without it each gradient is allocated separately. The
  // backend must outlive the source.
  NewParameters(Backend& backend, bool trainable, const ParameterTable* declared = nullptr);

 protected:
  Parameter provide(std::span<const ParameterSpec> parts, const Initializer& initializer) override;
  Backend& backend() const { return backend_; }
  Tensor gradient(const Shape& shape);  // undefined unless trainable

 private:
  Backend& backend_;
  bool trainable_;
  Tensor arena_;  // [1, elements]
  int64_t used_ = 0;
};

// A source and the prefix of a layer's parameter names. `of_positions`: parameters of a position encoding, for their
// roles. The source must outlive only the layer's constructor.
struct Scope {
  ParameterSource& source;
  std::string name = {};
  bool of_positions = false;

  Scope operator/(std::string_view part) const {
    return {source, name.empty() ? std::string(part) : name + "." + std::string(part), of_positions};
  }
  Scope positions() const { return {source, name, true}; }
  Parameter tensor(const Shape& shape, ParameterRole role, const Initializer& initializer = {}) const {
    return source.tensor(name, shape, role, initializer);
  }
};

struct LinearLayer {
  Parameter weight, bias;  // [out, in], [out]; RoFormerV2 has no bias

  LinearLayer(const Scope& scope, int64_t inputs, int64_t outputs, bool biased = true)
      : LinearLayer(scope.source, std::vector{ParameterSource::Output{scope.name, outputs}}, inputs, biased,
                    weight_role(scope)) {}
  // Several named outputs, stacked by rows.
  LinearLayer(const Scope& scope, std::span<const ParameterSource::Output> parts, int64_t inputs, bool biased);

  Value forward(const Context& context, const Value& x, Activation activation = Activation::none) const {
    return linear(context, x, weight, bias, activation);
  }

 private:
  LinearLayer(ParameterSource& source, const std::vector<ParameterSource::Output>& parts, int64_t inputs, bool biased,
              ParameterRole role) {
    auto [of_weight, of_bias] = source.linear(parts, inputs, biased, role);
    weight = of_weight;
    bias = of_bias;
  }
  static ParameterRole weight_role(const Scope& scope) {
    return scope.of_positions ? ParameterRole::position_weight : ParameterRole::weight;
  }
};

// The norms of a sub-layer f: sum(x + output(f(input(x)))), each optional.
struct SublayerNorms {
  bool input = false, output = false, sum = false;
  bool operator==(const SublayerNorms&) const = default;
};

// The norms of a stack: of the embeddings, of each sub-layer, and of the last layer's output.
struct StackNorms {
  bool embedding = false;
  SublayerNorms sublayer;
  bool last = false;
  bool operator==(const StackNorms&) const = default;
};
inline constexpr StackNorms kPostNorms{.embedding = true, .sublayer = {.sum = true}};  // Vaswani et al. 2017, BERT
inline constexpr StackNorms kPreNorms{.sublayer = {.input = true}, .last = true};      // Xiong et al. 2020, Llama

struct NormLayer {
  NormConfig config;
  Parameter gain, bias;  // [E]

  NormLayer(const Scope& scope, int64_t width, const NormConfig& norm) : config(norm) {
    const bool position = scope.of_positions;
    const double start = config.kind == NormKind::rms_one_plus_gain ? 0 : 1;
    if (has_gain(config.kind)) {
      gain = (scope / "weight")
                 .tensor({width}, position ? ParameterRole::position : ParameterRole::norm_gain,
                         [start](int64_t) { return start; });
    }
    if (has_bias(config.kind)) {
      bias = (scope / "bias").tensor({width}, position ? ParameterRole::position : ParameterRole::norm_bias);
    }
  }

  // norm(residual + dropout(x))
  Value forward(const Context& context, const Value& x, const Value& residual = {}, const Dropout& drop = {}) const {
    if (is_rms(config.kind)) return rms_norm(context, x, residual, drop, factors(context.backend), config.epsilon);
    return layer_norm(context, x, residual, drop, gain, bias, config.epsilon);
  }

 private:
  // What an RMS norm multiplies by. The gradient of 1 + gain is the gain's.
  Parameter factors(Backend& backend) const {
    if (config.kind != NormKind::rms_one_plus_gain) return gain;
    Parameter sum{backend.empty(gain.value.shape()), gain.gradient};
    backend.fill(sum.value, 1);
    backend.add(gain.value, sum.value);
    return sum;
  }
};

// The norms and the residual of a sub-layer f: leave(f(enter(x)), x). Parameters below `scope`: "norm" of the input,
// "output_norm", and "sum_norm", which is "norm" if there is no input norm.
struct Residual {
  std::optional<NormLayer> input, output, sum;

  Residual(const Scope& scope, int64_t width, const SublayerNorms& norms, const NormConfig& norm) {
    if (norms.input) input.emplace(scope / "norm", width, norm);
    if (norms.output) output.emplace(scope / "output_norm", width, norm);
    if (norms.sum) sum.emplace(scope / (norms.input ? "sum_norm" : "norm"), width, norm);
  }

  Value enter(const Context& context, const Value& x) const { return input ? input->forward(context, x) : x; }
  Value leave(const Context& context, Value&& y, const Value& x, const Dropout& drop) const {
    Value normal = output ? output->forward(context, y) : std::move(y);
    return sum ? sum->forward(context, normal, x, drop) : add_residual(context, std::move(normal), x, drop);
  }
};

}  // namespace roformer
