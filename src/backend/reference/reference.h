// ReferenceBackend: every kernel written as its equation, in plain loops. It is the oracle the other backends are
// tested against, the definition of each kernel, and `--device reference` to check a result. Slow and not parallel.
// Real is only the storage type: elements are read as double, sums are double, and results are rounded once when
// stored. With Real = double, central differences check the gradients. Rejected: sharing helpers with the fast
// backends, because an oracle must not inherit their mistakes.
//
// Members are defined in the other headers of this folder, by subject; only reference.cc includes them.
#pragma once

#include <string_view>
#include <vector>

#include "backend/host_backend.h"

namespace roformer {

template <class Real>
class ReferenceBackend final : public HostBackend {
 public:
  explicit ReferenceBackend(ThreadPool& pool) : pool_(pool) {}
  std::string_view name() const override { return "reference"; }
  DType real() const override { return dtype_of<Real>::value; }
  ThreadPool& pool() override { return pool_; }

  // elementwise.h
  using Backend::empty;
  Tensor empty(Shape shape, DType dtype) override { return Tensor::allocate(shape, dtype); }
  void fill(const Tensor& x, double value) override;
  void copy(const Tensor& from, const Tensor& to) override;
  void add(const Tensor& x, const Tensor& y) override;
  double squared_norm(std::span<const Tensor> tensors) override;
  void activation_backward(Activation activation, const Tensor& before, const Tensor& dout, const Tensor& dbefore,
                           const Tensor& out) override;
  void gated(Activation activation, const Tensor& gate, const Tensor& x, const Tensor& out) override;
  void gated_backward(Activation activation, const Tensor& gate, const Tensor& x, const Tensor& dout,
                      const Tensor& dgate, const Tensor& dx, const Tensor& out) override;
  void dropout(const Tensor& x, const Dropout& dropout, const Tensor& out) override;
  void adamw(const AdamWStep& step, std::span<const AdamWTensors> tensors) override;

  // dense.h
  void embedding(const Tensor& table, std::span<const int32_t> ids, double factor, const Tensor& out,
                 bool accumulate) override;
  void embedding_backward(const Tensor& dout, std::span<const int32_t> ids, double factor,
                          const Tensor& dtable) override;
  void linear(const Tensor& x, const WeightView& weight, const Tensor& bias, Activation activation, const Tensor& out,
              const Tensor& before) override;
  void linear_backward_input(const Tensor& dout, const Tensor& weight, const Tensor& dx, bool accumulate) override;
  void linear_backward_weight(const Tensor& dout, const Tensor& x, const Tensor& dweight, const Tensor& dbias) override;

  // norm.h
  void layer_norm(const Tensor& x, const Tensor& residual, const Dropout& dropout, const Tensor& gain,
                  const Tensor& bias, double epsilon, const Tensor& sum, const Tensor& statistics,
                  const Tensor& out) override;
  void layer_norm_backward(const Tensor& dout, const Tensor& sum, const Tensor& statistics, const Tensor& gain,
                           const Dropout& dropout, const Tensor& dsum, const Tensor& dx, const Tensor& dgain,
                           const Tensor& dbias) override;
  void rms_norm(const Tensor& x, const Tensor& residual, const Dropout& dropout, const Tensor& gain, double epsilon,
                const Tensor& sum, const Tensor& statistics, const Tensor& out) override;
  void rms_norm_backward(const Tensor& dout, const Tensor& sum, const Tensor& statistics, const Tensor& gain,
                         const Dropout& dropout, const Tensor& dsum, const Tensor& dx, const Tensor& dgain) override;

  // attention.h
  void rotate(const Tensor& x, int64_t heads, const RotaryAngles& angles, bool transposed) override;
  void attention(const AttentionSpec& spec, const AttentionTensors& in, const Tensor& out,
                 const Tensor& log_sum_exp) override;
  void attention_backward(const AttentionSpec& spec, const AttentionTensors& in, const Tensor& out,
                          const Tensor& log_sum_exp, const Tensor& dout, const AttentionTensors& gradients,
                          const RelativeTerms& dterms) override;

  // linear_attention.h
  void linear_attention(const LinearAttentionSpec& spec, const AttentionTensors& in, const Tensor& out,
                        const Tensor& denominators, const LinearAttentionState& state) override;
  void linear_attention_backward(const LinearAttentionSpec& spec, const AttentionTensors& in, const Tensor& out,
                                 const Tensor& denominators, const LinearAttentionState& state, const Tensor& dout,
                                 const AttentionTensors& gradients) override;

  // loss.h
  Loss cross_entropy(const Tensor& hidden, const WeightView& weight, const Tensor& bias, const LabelSpec& labels,
                     const Tensor& dhidden, const Tensor& dweight, const Tensor& dbias) override;
  void pool(Pooling pooling, const Tensor& x, std::span<const int32_t> offsets, const Tensor& out,
            const Tensor& argmax) override;
  void pool_backward(Pooling pooling, const Tensor& dout, std::span<const int32_t> offsets, const Tensor& argmax,
                     const Tensor& dx) override;

 private:
  ThreadPool& pool_;
};

}  // namespace roformer
