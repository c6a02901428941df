// The backward of linear attention in the cpu backend; shapes are those of Backend::linear_attention_backward.
#pragma once

#include "backend/linear_attention.h"

namespace roformer {

void linear_backward(ThreadPool& pool, const LinearAttentionSpec& spec, const AttentionTensors& in, const Tensor& out,
                     const Tensor& denominators, const LinearAttentionState& state, const Tensor& dout,
                     const AttentionTensors& gradients);

// What is not a number stays so.
inline float inverse_divisor(float divisor) {
  constexpr auto kMin = static_cast<float>(kLeastDenominator);
  return 1 / (divisor < kMin ? kMin : divisor);
}

}  // namespace roformer
