// Attention of the CPU backend. Score terms (RelativeTerms) over positions that do not rise by one in each sequence,
// which is rare, use the reference kernels: slow, but also without S×S memory. So do those with grouped heads.
#include "backend/cpu/attention/attention.h"

#include "backend/cpu/attention/terms.h"
#include "backend/cpu/cpu_backend.h"

namespace roformer {

double attention_operations(const AttentionSpec& spec, const AttentionTensors& in) {
  double pairs = 0;
  for (size_t s = 0; s + 1 < spec.query_offsets.size(); ++s) {
    pairs += static_cast<double>(spec.query_offsets[s + 1] - spec.query_offsets[s]) *
             static_cast<double>(spec.key_offsets[s + 1] - spec.key_offsets[s]);
  }
  return 2 * pairs * static_cast<double>(in.q.columns() + in.v.columns() * spec.group());
}

namespace {

bool only_the_reference_has(const AttentionSpec& spec) {
  return spec.terms.any() && (spec.group() > 1 || !positions_rise_by_one(spec));
}

}  // namespace

void CpuBackend::attention(const AttentionSpec& spec, const AttentionTensors& in, const Tensor& out,
                           const Tensor& log_sum_exp) {
  const ScopedTimer timed(profile(), "attention", attention_operations(spec, in), 0);
  if (only_the_reference_has(spec)) {
    return make_reference_backend(pool_)->attention(spec, in, out, log_sum_exp);
  }
  attention_forward(pool_, spec, in, nullptr, nullptr, false, number_types_.attention, out, log_sum_exp);
}

void CpuBackend::attention_backward(const AttentionSpec& spec, const AttentionTensors& in, const Tensor& out,
                                    const Tensor& log_sum_exp, const Tensor& dout, const AttentionTensors& gradients,
                                    const RelativeTerms& dterms) {
  const ScopedTimer timed(profile(), "attention, backward", 2.5 * attention_operations(spec, in),
                          0);  // five products instead of two
  if (only_the_reference_has(spec)) {
    return make_reference_backend(pool_)->attention_backward(spec, in, out, log_sum_exp, dout, gradients, dterms);
  }
  roformer::attention_backward(pool_, spec, in, number_types_.attention, out, log_sum_exp, dout, gradients, dterms);
}

}  // namespace roformer
