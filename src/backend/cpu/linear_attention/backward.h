// The backward of linear attention on the CPU; arguments as in Backend::linear_attention_backward.
#pragma once

#include "backend/linear_attention.h"

namespace roformer {

void linear_backward(ThreadPool& pool, const LinearAttentionSpec& spec, const AttentionTensors& in, const Tensor& out,
                     const Tensor& denominators, const LinearAttentionState& state, const Tensor& dout,
                     const AttentionTensors& gradients);

// NaN stays NaN.
inline float inverse_divisor(float divisor) {
  constexpr auto kMin = static_cast<float>(kLeastDenominator);
  return 1 / (divisor < kMin ? kMin : divisor);
}

}  // namespace roformer
