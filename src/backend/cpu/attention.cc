// Attention of the CPU backend. Score terms (RelativeTerms) go to the reference kernels, same memory bound.
#include "backend/cpu/attention.h"

#include "backend/cpu/cpu_backend.h"

namespace roformer {

void CpuBackend::attention(const AttentionSpec& spec, const AttentionTensors& in, const Tensor& out,
                           const Tensor& log_sum_exp) {
  if (spec.terms.any()) return make_reference_backend(pool_)->attention(spec, in, out, log_sum_exp);
  attention_forward(pool_, spec, in, nullptr, nullptr, false, precision_, out, log_sum_exp);
}

void CpuBackend::attention_backward(const AttentionSpec& spec, const AttentionTensors& in, const Tensor& out,
                                    const Tensor& log_sum_exp, const Tensor& dout, const AttentionTensors& gradients,
                                    const RelativeTerms& dterms) {
  if (spec.terms.any()) {
    return make_reference_backend(pool_)->attention_backward(spec, in, out, log_sum_exp, dout, gradients, dterms);
  }
  roformer::attention_backward(pool_, spec, in, precision_, out, log_sum_exp, dout, gradients);
}

}  // namespace roformer
