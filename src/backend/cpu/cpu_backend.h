// The CPU backend: float32 tensors, SIMD chosen at run time, one thread pool. Matrix products are in gemm/product.h, in
// the types that gemm/number_types.h chooses; everything else is row kernels (rows/rows.h) on grids that depend on
// shapes only.
#pragma once

#include "backend/cpu/gemm/number_types.h"
#include "backend/cpu/gemm/tile_rows.h"
#include "backend/cpu/memory/memory.h"
#include "backend/host_backend.h"
#include "backend/layers.h"

namespace roformer {

class CpuBackend final : public HostBackend {
 public:
  CpuBackend(ThreadPool& pool, Precision precision)
      : pool_(pool),
        precision_(precision),
        number_types_(choose_number_types(precision, dot_products())),
        memory_(std::make_shared<MemoryCache>()) {}

  std::string_view name() const override { return "cpu"; }
  DType real() const override { return DType::float32; }
  ThreadPool& pool() override { return pool_; }
  MachinePeaks measure_peaks() override;
  double read_rate(const Tensor& x) override;
  Precision precision() const override { return precision_; }
  std::vector<NumberTypeUse> number_types() const override { return describe(number_types_); }
  const NumberTypes& chosen() const { return number_types_; }
  bool reads_weights(DType dtype) const override;

  using Backend::empty;
  Tensor empty(Shape shape, DType dtype) override;
  void fill(const Tensor& x, double value) override;
  void copy(const Tensor& from, const Tensor& to) override;
  void add(const Tensor& x, const Tensor& y) override;
  double squared_norm(std::span<const Tensor> tensors) override;

  void embedding(const Tensor& table, std::span<const int32_t> ids, double factor, const Tensor& out,
                 bool accumulate) override;
  void embedding_backward(const Tensor& dout, std::span<const int32_t> ids, double factor,
                          const Tensor& dtable) override;

  std::vector<std::shared_ptr<const PreparedWeight>> prepare(std::span<Tensor> weights, PassSize passes) override;
  void linear(const Tensor& x, const WeightView& weight, const Tensor& bias, Activation activation, const Tensor& out,
              const Tensor& before) override;
  void linear_backward_input(const Tensor& dout, const Tensor& weight, const Tensor& dx, bool accumulate) override;
  void linear_backward_weight(const Tensor& dout, const Tensor& x, const Tensor& dweight, const Tensor& dbias) override;
  void activation_backward(Activation activation, const Tensor& before, const Tensor& dout, const Tensor& dbefore,
                           const Tensor& out) override;

  void gated(Activation activation, const Tensor& gate, const Tensor& x, const Tensor& out) override;
  void gated_backward(Activation activation, const Tensor& gate, const Tensor& x, const Tensor& dout,
                      const Tensor& dgate, const Tensor& dx, const Tensor& out) override;

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
  void dropout(const Tensor& x, const Dropout& dropout, const Tensor& out) override;

  void rotate(const Tensor& x, int64_t heads, const RotaryAngles& angles, bool transposed) override;

  void attention(const AttentionSpec& spec, const AttentionTensors& in, const Tensor& out,
                 const Tensor& log_sum_exp) override;
  void attention_backward(const AttentionSpec& spec, const AttentionTensors& in, const Tensor& out,
                          const Tensor& log_sum_exp, const Tensor& dout, const AttentionTensors& gradients,
                          const RelativeTerms& dterms) override;

  void linear_attention(const LinearAttentionSpec& spec, const AttentionTensors& in, const Tensor& out,
                        const Tensor& denominators, const LinearAttentionState& state) override;
  void linear_attention_backward(const LinearAttentionSpec& spec, const AttentionTensors& in, const Tensor& out,
                                 const Tensor& denominators, const LinearAttentionState& state, const Tensor& dout,
                                 const AttentionTensors& gradients) override;
  void cached_attention(const CachedSpec& spec, const Tensor& q, const Tensor& out) override;
  std::vector<double> log_sum_exp(const Tensor& x) override;

  Loss cross_entropy(const Tensor& hidden, const WeightView& weight, const Tensor& bias, const LabelSpec& labels,
                     const Tensor& dhidden, const Tensor& dweight, const Tensor& dbias) override;

  std::unique_ptr<FusedLayers> fuse(const LayersConfig& config, std::span<const LayerWeights> layers) override;

  void pool(Pooling pooling, const Tensor& x, std::span<const int32_t> offsets, const Tensor& out,
            const Tensor& argmax) override;
  void pool_backward(Pooling pooling, const Tensor& dout, std::span<const int32_t> offsets, const Tensor& argmax,
                     const Tensor& dx) override;

  void adamw(const AdamWStep& step, std::span<const AdamWTensors> tensors) override;

 private:
  // x · weightᵀ with an epilogue, the product of linear layers.
  void multiply_weight(const Tensor& x, const WeightView& weight, const tile::Epilogue& epilogue);

  ThreadPool& pool_;
  Precision precision_;
  NumberTypes number_types_;
  std::shared_ptr<MemoryCache> memory_;
};

}  // namespace roformer
