// Linear, layer and RMS norm, dropout, and the softmax cross-entropy.
#include <numeric>
#include <vector>

#include "ops/internal.h"

namespace roformer {

namespace {

void check_linear(const char* op, const Tensor& x, const Parameter& weight, const Parameter& bias) {
  check_columns(op, "input", x, weight.view().inputs());
  if (bias.defined()) check_columns(op, "bias", bias.value, weight.view().outputs());
}

// Gradients of parameters and input from the gradient of x·Wᵀ + bias.
void linear_backward(Backend& backend, const Tensor& dout, const SavedValue& x, const Parameter& weight,
                     const Parameter& bias, const GradientSum& dx) {
  if (wants_gradient(weight)) backend.linear_backward_weight(dout, x.data(), weight.gradient, bias.gradient);
  if (dx == nullptr) return;
  const bool add = dx->defined();
  if (!add) *dx = backend.empty({dout.rows(), weight.value.dim(1)});
  backend.linear_backward_input(dout, weight.value, *dx, add);
}

}  // namespace

Value linear(const Context& context, const Value& x, const Parameter& weight, const Parameter& bias,
             Activation activation) {
  Backend& backend = context.backend;
  check_linear("linear", x.data, weight, bias);
  const Tensor out = backend.empty({x.data.rows(), weight.view().outputs()});
  Value result = make_result(context, out, x.tracked() || wants_gradient(weight));
  const bool save = result.tracked() && activation != Activation::none;
  const Tensor before = save ? backend.empty(out.shape()) : Tensor();
  backend.linear(x.data, weight.view(), bias.value, activation, out, before);
  if (!result.tracked()) return result;
  context.tape->record(
      [&backend, x = SavedValue(x), dx = x.gradient, weight, bias, activation, before, gradient = result.gradient] {
        if (!gradient->defined()) return;
        const Tensor dout = *gradient;
        if (before.defined()) backend.activation_backward(activation, before, dout, dout, {});
        linear_backward(backend, dout, x, weight, bias, dx);
      });
  return result;
}

Value feed_forward(const Context& context, const Value& x, const Parameter& inner_weight, const Parameter& inner_bias,
                   Activation activation, const Parameter& outer_weight, const Parameter& outer_bias) {
  Backend& backend = context.backend;
  check_linear("feed_forward", x.data, inner_weight, inner_bias);
  const Tensor expanded = backend.empty({x.data.rows(), inner_weight.view().outputs()});
  check_linear("feed_forward", expanded, outer_weight, outer_bias);
  const Tensor out = backend.empty({x.data.rows(), outer_weight.view().outputs()});
  const bool tracked = x.tracked() || wants_gradient(inner_weight) || wants_gradient(outer_weight);
  Value result = make_result(context, out, tracked);
  const Tensor before = result.tracked() ? backend.empty(expanded.shape()) : Tensor();
  backend.linear(x.data, inner_weight.view(), inner_bias.value, activation, expanded, before);
  backend.linear(expanded, outer_weight.view(), outer_bias.value, Activation::none, out, {});
  if (!result.tracked()) return result;
  context.tape->record([&backend, x = SavedValue(x), dx = x.gradient, inner_weight, inner_bias, activation,
                        outer_weight, outer_bias, before, gradient = result.gradient] {
    if (!gradient->defined()) return;
    const Tensor dexpanded = backend.empty(before.shape());
    backend.linear_backward_input(*gradient, outer_weight.value, dexpanded, false);
    const Tensor& expanded_again = before;
    backend.activation_backward(activation, before, dexpanded, dexpanded, expanded_again);
    if (wants_gradient(outer_weight)) {
      backend.linear_backward_weight(*gradient, expanded_again, outer_weight.gradient, outer_bias.gradient);
    }
    linear_backward(backend, dexpanded, x, inner_weight, inner_bias, dx);
  });
  return result;
}

Value gated_feed_forward(const Context& context, const Value& x, Activation activation, const GatedWeights& weights) {
  Backend& backend = context.backend;
  check_linear("gated_feed_forward", x.data, weights.gate_weight, weights.gate_bias);
  check_linear("gated_feed_forward", x.data, weights.up_weight, weights.up_bias);
  const Tensor gate = backend.empty({x.data.rows(), weights.gate_weight.view().outputs()});
  const Tensor up = backend.empty({x.data.rows(), weights.up_weight.view().outputs()});
  check_columns("gated_feed_forward", "up", up, gate.columns());
  check_linear("gated_feed_forward", gate, weights.down_weight, weights.down_bias);
  const Tensor out = backend.empty({x.data.rows(), weights.down_weight.view().outputs()});
  bool tracked = x.tracked();
  for (const Parameter* weight : {&weights.gate_weight, &weights.up_weight, &weights.down_weight}) {
    tracked = tracked || wants_gradient(*weight);
  }
  Value result = make_result(context, out, tracked);
  const Tensor expanded = result.tracked() ? backend.empty(gate.shape()) : gate;
  backend.linear(x.data, weights.gate_weight.view(), weights.gate_bias.value, Activation::none, gate, {});
  backend.linear(x.data, weights.up_weight.view(), weights.up_bias.value, Activation::none, up, {});
  backend.gated(activation, gate, up, expanded);
  backend.linear(expanded, weights.down_weight.view(), weights.down_bias.value, Activation::none, out, {});
  if (!result.tracked()) return result;
  context.tape->record(
      [&backend, x = SavedValue(x), dx = x.gradient, activation, weights, gate, up, gradient = result.gradient] {
        if (!gradient->defined()) return;
        const Tensor dexpanded = backend.empty(gate.shape());
        backend.linear_backward_input(*gradient, weights.down_weight.value, dexpanded, false);
        const Tensor &dgate = dexpanded, &dup = up, &expanded_again = gate;
        backend.gated_backward(activation, gate, up, dexpanded, dgate, dup, expanded_again);
        if (wants_gradient(weights.down_weight)) {
          backend.linear_backward_weight(*gradient, expanded_again, weights.down_weight.gradient,
                                         weights.down_bias.gradient);
        }
        linear_backward(backend, dgate, x, weights.gate_weight, weights.gate_bias, dx);
        linear_backward(backend, dup, x, weights.up_weight, weights.up_bias, dx);
      });
  return result;
}

namespace {

void check_residual(const char* op, const Value& x, const Value& residual) {
  if (!residual.data.defined()) return;
  check_rows(op, "residual", residual.data, x.data.rows());
  check_columns(op, "residual", residual.data, x.data.columns());
}

// Where a norm stores residual + dropout(x): x itself if there is neither.
Tensor make_sum(Backend& backend, const Value& x, const Value& residual, const Dropout& dropout) {
  return residual.data.defined() || dropout.active() ? backend.empty(x.data.shape()) : x.data;
}

// Where a norm's backward stores the gradient of x: undefined if that is the gradient of the sum and nothing else needs
// it.
Tensor make_through(Backend& backend, const Tensor& dsum, const GradientSum& dresidual, const Dropout& dropout) {
  return dresidual != nullptr || dropout.active() ? backend.empty(dsum.shape()) : Tensor();
}

}  // namespace

Value layer_norm(const Context& context, const Value& x, const Value& residual, const Dropout& dropout,
                 const Parameter& gain, const Parameter& bias, double epsilon) {
  Backend& backend = context.backend;
  check_columns("layer_norm", "gain", gain.value, x.data.columns());
  if (bias.defined()) check_columns("layer_norm", "bias", bias.value, x.data.columns());
  check_residual("layer_norm", x, residual);
  const Tensor out = backend.empty(x.data.shape()), statistics = backend.empty({x.data.rows(), 2});
  const Tensor sum = make_sum(backend, x, residual, dropout);
  backend.layer_norm(x.data, residual.data, dropout, gain.value, bias.value, epsilon, sum, statistics, out);
  Value result = make_result(context, out, x.tracked() || residual.tracked() || wants_gradient(gain));
  if (!result.tracked()) return result;
  result.recompute = std::make_shared<const std::function<Tensor()>>([&backend, sum, statistics, gain, bias, epsilon] {
    Tensor same = backend.empty(sum.shape());
    backend.layer_norm(sum, {}, {}, gain.value, bias.value, epsilon, sum, statistics, same);
    return same;
  });
  context.tape->record([&backend, dx = x.gradient, dresidual = residual.gradient, dropout, gain, bias, sum, statistics,
                        gradient = result.gradient] {
    if (!gradient->defined()) return;
    const Tensor dsum = std::move(*gradient);
    const Tensor through = make_through(backend, dsum, dresidual, dropout);
    backend.layer_norm_backward(dsum, sum, statistics, gain.value, dropout, dsum, through, gain.gradient,
                                bias.gradient);
    accumulate(backend, dx, through.defined() ? through : dsum);
    accumulate(backend, dresidual, dsum);
  });
  return result;
}

Value rms_norm(const Context& context, const Value& x, const Value& residual, const Dropout& dropout,
               const Parameter& gain, double epsilon) {
  Backend& backend = context.backend;
  if (gain.defined()) check_columns("rms_norm", "gain", gain.value, x.data.columns());
  check_residual("rms_norm", x, residual);
  const Tensor out = backend.empty(x.data.shape()), statistics = backend.empty({x.data.rows(), 1});
  const Tensor sum = make_sum(backend, x, residual, dropout);
  backend.rms_norm(x.data, residual.data, dropout, gain.value, epsilon, sum, statistics, out);
  Value result = make_result(context, out, x.tracked() || residual.tracked() || wants_gradient(gain));
  if (!result.tracked()) return result;
  result.recompute = std::make_shared<const std::function<Tensor()>>([&backend, sum, statistics, gain, epsilon] {
    Tensor same = backend.empty(sum.shape());
    backend.rms_norm(sum, {}, {}, gain.value, epsilon, sum, statistics, same);
    return same;
  });
  context.tape->record([&backend, dx = x.gradient, dresidual = residual.gradient, dropout, gain, sum, statistics,
                        gradient = result.gradient] {
    if (!gradient->defined()) return;
    const Tensor dsum = std::move(*gradient);
    const Tensor through = make_through(backend, dsum, dresidual, dropout);
    backend.rms_norm_backward(dsum, sum, statistics, gain.value, dropout, dsum, through, gain.gradient);
    accumulate(backend, dx, through.defined() ? through : dsum);
    accumulate(backend, dresidual, dsum);
  });
  return result;
}

Value add_residual(const Context& context, Value&& consumed, const Value& residual, const Dropout& dropout) {
  const Value x = std::move(consumed);
  Backend& backend = context.backend;
  check_residual("add_residual", x, residual);
  if (dropout.active()) backend.dropout(x.data, dropout, x.data);
  backend.add(residual.data, x.data);
  Value result = make_result(context, x.data, x.tracked() || residual.tracked());
  if (!result.tracked()) return result;
  context.tape->record([&backend, dx = x.gradient, dresidual = residual.gradient, dropout, gradient = result.gradient] {
    if (!gradient->defined()) return;
    const Tensor dsum = std::move(*gradient);
    if (dx != nullptr) {
      // A separate tensor if the residual takes over the sum's gradient or dropout changes it.
      Tensor through = dresidual != nullptr ? backend.empty(dsum.shape()) : dsum;
      if (dropout.active()) {
        backend.dropout(dsum, dropout, through);
      } else if (dresidual != nullptr) {
        backend.copy(dsum, through);
      }
      accumulate(backend, dx, std::move(through));
    }
    accumulate(backend, dresidual, dsum);
  });
  return result;
}

Value dropout(const Context& context, const Value& x, const Dropout& dropout) {
  if (!dropout.active()) return x;
  Backend& backend = context.backend;
  const Tensor out = backend.empty(x.data.shape());
  backend.dropout(x.data, dropout, out);
  Value result = make_result(context, out, x.tracked());
  if (result.tracked()) {
    context.tape->record([&backend, dx = x.gradient, dropout, gradient = result.gradient] {
      if (!gradient->defined()) return;
      backend.dropout(*gradient, dropout, *gradient);
      accumulate(backend, dx, std::move(*gradient));
    });
  }
  return result;
}

Value soft_cap(const Context& context, const Value& x, double cap) {
  Backend& backend = context.backend;
  if (!(cap > 0)) throw ShapeError("soft_cap: the cap is {}", cap);
  std::vector<int32_t> rows(static_cast<size_t>(x.data.rows()));
  std::iota(rows.begin(), rows.end(), 0);
  const Tensor scaled = backend.empty(x.data.shape()), capped = backend.empty(x.data.shape());
  const Tensor out = backend.empty(x.data.shape());
  backend.embedding(x.data, rows, 1 / cap, scaled, false);
  backend.activation_backward(Activation::tanh, scaled, scaled, out, capped);  // for tanh(scaled)
  backend.embedding(capped, rows, cap, out, false);
  Value result = make_result(context, out, x.tracked());
  if (!result.tracked()) return result;
  context.tape->record([&backend, dx = x.gradient, scaled, gradient = result.gradient] {
    if (!gradient->defined()) return;
    backend.activation_backward(Activation::tanh, scaled, *gradient, *gradient, {});
    accumulate(backend, dx, std::move(*gradient));
  });
  return result;
}

Loss cross_entropy(const Context& context, const Value& hidden, const Parameter& weight, const Parameter& bias,
                   const LabelSpec& spec) {
  Backend& backend = context.backend;
  check_columns("cross_entropy", "hidden", hidden.data, weight.view().inputs());
  check_rows("cross_entropy", "hidden", hidden.data, static_cast<int64_t>(spec.labels.size()));
  if (bias.defined()) check_columns("cross_entropy", "bias", bias.value, weight.view().outputs());
  check_ids("label", spec.labels, weight.view().outputs());
  const bool wanted = hidden.tracked() || wants_gradient(weight) || wants_gradient(bias);
  const bool backward = context.tape != nullptr && wanted;
  Tensor dhidden = backward ? backend.empty(hidden.data.shape()) : Tensor();
  Loss loss =
      backend.cross_entropy(hidden.data, weight.view(), bias.value, spec, dhidden, weight.gradient, bias.gradient);
  if (backward && hidden.tracked()) {
    context.tape->record([&backend, sum = hidden.gradient, dhidden = std::move(dhidden)]() mutable {
      accumulate(backend, sum, std::move(dhidden));
    });
  }
  return loss;
}

}  // namespace roformer
