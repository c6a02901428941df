// Linear, layer and RMS norm, dropout, and the softmax cross-entropy.
#include "ops/internal.h"

namespace roformer {

Value linear(const Context& context, const Value& x, const Parameter& weight, const Parameter& bias,
             Activation activation) {
  Backend& backend = context.backend;
  check_columns("linear", "input", x.data, weight.value.dim(1));
  if (bias.defined()) check_columns("linear", "bias", bias.value, weight.value.dim(0));
  const Tensor out = backend.empty({x.data.rows(), weight.value.dim(0)});
  Value result = make_result(context, out, x.tracked() || wants_gradient(weight));
  const bool keep = result.tracked() && activation != Activation::none;
  const Tensor before = keep ? backend.empty(out.shape()) : Tensor();
  backend.linear(x.data, weight.value, bias.value, activation, out, before);
  if (!result.tracked()) return result;
  context.tape->record([&backend, x, weight, bias, activation, before, gradient = result.gradient] {
    if (!gradient->defined()) return;
    const Tensor dout = *gradient;
    if (before.defined()) backend.activation_backward(activation, before, dout, dout);
    if (wants_gradient(weight)) backend.linear_backward_weight(dout, x.data, weight.gradient, bias.gradient);
    if (!x.tracked()) return;
    const bool add = x.gradient->defined();
    if (!add) *x.gradient = backend.empty(x.data.shape());
    backend.linear_backward_input(dout, weight.value, *x.gradient, add);
  });
  return result;
}

namespace {

void check_residual(const char* op, const Value& x, const Value& residual) {
  if (!residual.data.defined()) return;
  check_rows(op, "residual", residual.data, x.data.rows());
  check_columns(op, "residual", residual.data, x.data.columns());
}

// Where a norm keeps residual + dropout(x): x itself where that is all of it.
Tensor make_sum(Backend& backend, const Value& x, const Value& residual, const Dropout& dropout) {
  return residual.data.defined() || dropout.active() ? backend.empty(x.data.shape()) : x.data;
}

}  // namespace

Value layer_norm(const Context& context, const Value& x, const Value& residual, const Dropout& dropout,
                 const Parameter& gain, const Parameter& bias, double epsilon) {
  Backend& backend = context.backend;
  check_columns("layer_norm", "gain", gain.value, x.data.columns());
  check_columns("layer_norm", "bias", bias.value, x.data.columns());
  check_residual("layer_norm", x, residual);
  const Tensor out = backend.empty(x.data.shape()), statistics = backend.empty({x.data.rows(), 2});
  const Tensor sum = make_sum(backend, x, residual, dropout);
  backend.layer_norm(x.data, residual.data, dropout, gain.value, bias.value, epsilon, sum, statistics, out);
  Value result = make_result(context, out, x.tracked() || residual.tracked() || wants_gradient(gain));
  if (!result.tracked()) return result;
  context.tape->record([&backend, x, residual, dropout, gain, bias, sum, statistics, gradient = result.gradient] {
    if (!gradient->defined()) return;
    const Tensor dsum = backend.empty(sum.shape());
    const bool separate = residual.tracked() || dropout.active();
    const Tensor dx = separate ? backend.empty(sum.shape()) : Tensor();
    backend.layer_norm_backward(*gradient, sum, statistics, gain.value, dropout, dsum, dx, gain.gradient,
                                bias.gradient);
    accumulate(backend, x, separate ? dx : dsum);
    accumulate(backend, residual, dsum);
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
  context.tape->record([&backend, x, residual, dropout, gain, sum, statistics, gradient = result.gradient] {
    if (!gradient->defined()) return;
    const Tensor dsum = backend.empty(sum.shape());
    const bool separate = residual.tracked() || dropout.active();
    const Tensor dx = separate ? backend.empty(sum.shape()) : Tensor();
    backend.rms_norm_backward(*gradient, sum, statistics, gain.value, dropout, dsum, dx, gain.gradient);
    accumulate(backend, x, separate ? dx : dsum);
    accumulate(backend, residual, dsum);
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
    context.tape->record([&backend, x, dropout, gradient = result.gradient] {
      if (!gradient->defined()) return;
      backend.dropout(*gradient, dropout, *gradient);
      accumulate(backend, x, std::move(*gradient));
    });
  }
  return result;
}

LossSum cross_entropy(const Context& context, const Value& hidden, const Parameter& weight, const Parameter& bias,
                      std::span<const int32_t> labels, double gradient_scale) {
  Backend& backend = context.backend;
  check_columns("cross_entropy", "hidden", hidden.data, weight.value.dim(1));
  check_rows("cross_entropy", "hidden", hidden.data, static_cast<int64_t>(labels.size()));
  if (bias.defined()) check_columns("cross_entropy", "bias", bias.value, weight.value.dim(0));
  check_ids("label", labels, weight.value.dim(0));
  const bool wanted = hidden.tracked() || wants_gradient(weight) || wants_gradient(bias);
  const bool backward = context.tape != nullptr && wanted;
  const Tensor dhidden = backward ? backend.empty(hidden.data.shape()) : Tensor();
  const LossSum loss = backend.cross_entropy(hidden.data, weight.value, bias.value, labels, gradient_scale, dhidden,
                                             weight.gradient, bias.gradient);
  if (backward && hidden.tracked()) {
    context.tape->record([&backend, hidden, dhidden] { accumulate(backend, hidden, dhidden); });
  }
  return loss;
}

}  // namespace roformer
