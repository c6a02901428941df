// Elementwise kernels: memory, activations, dropout, and the AdamW update.
#pragma once

#include <cmath>
#include <numbers>

#include "backend/reference/reference.h"
#include "backend/reference/view.h"

namespace roformer {

template <class Real>
void ReferenceBackend<Real>::fill(const Tensor& x, double value) {
  const View<Real> to(x);
  for (int64_t i = 0; i < to.rows(); ++i) {
    for (int64_t j = 0; j < to.columns(); ++j) to(i, j) = static_cast<Real>(value);
  }
}

template <class Real>
void ReferenceBackend<Real>::copy(const Tensor& from, const Tensor& to) {
  const View<Real> x(from), y(to);
  for (int64_t i = 0; i < x.rows(); ++i) {
    for (int64_t j = 0; j < x.columns(); ++j) y(i, j) = x(i, j);
  }
}

template <class Real>
void ReferenceBackend<Real>::add(const Tensor& x, const Tensor& y) {
  const View<Real> from(x), to(y);
  for (int64_t i = 0; i < from.rows(); ++i) {
    for (int64_t j = 0; j < from.columns(); ++j) to(i, j) += from(i, j);
  }
}

template <class Real>
double ReferenceBackend<Real>::squared_norm(std::span<const Tensor> tensors) {
  double sum = 0;
  for (const Tensor& x : tensors) {
    const View<Real> from(x);
    for (int64_t i = 0; i < from.rows(); ++i) {
      for (int64_t j = 0; j < from.columns(); ++j) sum += static_cast<double>(from(i, j)) * from(i, j);
    }
  }
  return sum;
}

// Φ, the distribution function of the normal distribution.
inline double normal_distribution(double x) { return 0.5 * std::erfc(-x / std::numbers::sqrt2); }

// φ = Φ′, its density.
inline double normal_density(double x) {
  return std::exp(-0.5 * x * x) * std::numbers::inv_sqrtpi / std::numbers::sqrt2;
}

// σ, the logistic function.
inline double logistic(double x) { return 1 / (1 + std::exp(-x)); }

// The argument of tanh in Activation::gelu_tanh, and its derivative.
inline double gelu_tanh_inner(double x) { return std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x); }
inline double gelu_tanh_inner_derivative(double x) {
  return std::sqrt(2 / std::numbers::pi) * (1 + 3 * 0.044715 * x * x);
}

inline double activate(Activation activation, double x) {
  switch (activation) {
    case Activation::none: return x;
    case Activation::gelu: return x * normal_distribution(x);
    case Activation::gelu_tanh: return 0.5 * x * (1 + std::tanh(gelu_tanh_inner(x)));
    case Activation::relu: return x > 0 ? x : 0;
    case Activation::silu: return x * logistic(x);
    case Activation::tanh: return std::tanh(x);
  }
  return x;
}

inline double activation_derivative(Activation activation, double x) {
  switch (activation) {
    case Activation::none: return 1;
    case Activation::gelu: return normal_distribution(x) + x * normal_density(x);
    case Activation::gelu_tanh: {
      const double t = std::tanh(gelu_tanh_inner(x));
      return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * gelu_tanh_inner_derivative(x);
    }
    case Activation::relu: return x > 0 ? 1 : 0;
    case Activation::silu: return logistic(x) + x * logistic(x) * logistic(-x);
    case Activation::tanh: return 1 - std::tanh(x) * std::tanh(x);
  }
  return 1;
}

template <class Real>
void ReferenceBackend<Real>::activation_backward(Activation activation, const Tensor& before, const Tensor& dout,
                                                 const Tensor& dbefore, const Tensor& out) {
  const View<Real> x(before), dy(dout), dx(dbefore), y(out);
  for (int64_t i = 0; i < dy.rows(); ++i) {
    for (int64_t j = 0; j < dy.columns(); ++j) {
      // The derivative of `none` needs no input, so that `before` may be undefined there.
      const double derivative = x.present() ? activation_derivative(activation, x(i, j)) : 1;
      dx(i, j) = static_cast<Real>(dy(i, j) * derivative);
      if (y.present()) y(i, j) = static_cast<Real>(activate(activation, x(i, j)));
    }
  }
}

template <class Real>
void ReferenceBackend<Real>::gated(Activation activation, const Tensor& gate, const Tensor& x, const Tensor& out) {
  const View<Real> gates(gate), values(x), y(out);
  for (int64_t i = 0; i < y.rows(); ++i) {
    for (int64_t j = 0; j < y.columns(); ++j) {
      y(i, j) = static_cast<Real>(activate(activation, gates(i, j)) * values(i, j));
    }
  }
}

template <class Real>
void ReferenceBackend<Real>::gated_backward(Activation activation, const Tensor& gate, const Tensor& x,
                                            const Tensor& dout, const Tensor& dgate, const Tensor& dx,
                                            const Tensor& out) {
  const View<Real> gates(gate), values(x), dy(dout), dgates(dgate), dvalues(dx), y(out);
  for (int64_t i = 0; i < dy.rows(); ++i) {
    for (int64_t j = 0; j < dy.columns(); ++j) {
      const double g = gates(i, j), value = values(i, j), d = dy(i, j);
      dgates(i, j) = static_cast<Real>(d * value * activation_derivative(activation, g));
      dvalues(i, j) = static_cast<Real>(d * activate(activation, g));
      y(i, j) = static_cast<Real>(activate(activation, g) * value);
    }
  }
}

template <class Real>
void ReferenceBackend<Real>::dropout(const Tensor& x, const Dropout& dropout, const Tensor& out) {
  const View<Real> from(x), to(out);
  for (int64_t i = 0; i < from.rows(); ++i) {
    for (int64_t j = 0; j < from.columns(); ++j) {
      to(i, j) = static_cast<Real>(from(i, j) * dropout_factor(dropout, i, j));
    }
  }
}

// Algorithm 2 of Loshchilov & Hutter 2019, with the weight decay multiplied by the whole learning rate, as commonly
// implemented: θ ← θ − learning_rate · (m̂ / (√v̂ + ε) + weight_decay · θ).
template <class Real>
void ReferenceBackend<Real>::adamw(const AdamWStep& step, std::span<const AdamWTensors> tensors) {
  const double correction1 = 1 - std::pow(step.beta1, static_cast<double>(step.step));
  const double correction2 = 1 - std::pow(step.beta2, static_cast<double>(step.step));
  for (const AdamWTensors& one : tensors) {
    const View<Real> gradients(one.gradient), theta(one.parameter), first(one.first_moment), second(one.second_moment);
    for (int64_t i = 0; i < theta.rows(); ++i) {
      for (int64_t j = 0; j < theta.columns(); ++j) {
        const double g = step.gradient_scale * gradients(i, j);
        const double m = step.beta1 * first(i, j) + (1 - step.beta1) * g;
        const double v = step.beta2 * second(i, j) + (1 - step.beta2) * g * g;
        const double direction = m / correction1 / (std::sqrt(v / correction2) + step.epsilon);
        first(i, j) = static_cast<Real>(m);
        second(i, j) = static_cast<Real>(v);
        theta(i, j) -= static_cast<Real>(step.learning_rate * (direction + one.weight_decay * theta(i, j)));
        if (step.zero_gradients) gradients(i, j) = 0;
      }
    }
  }
}

}  // namespace roformer
