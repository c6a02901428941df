// Linear layers: products with bias and activation in the epilogue.
#include <algorithm>

#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/gemm/product.h"
#include "backend/cpu/rows/rows.h"

namespace roformer {

namespace {

double operations(const Tensor& x, const WeightView& weight) {
  return 2.0 * static_cast<double>(x.rows()) * static_cast<double>(weight.inputs() * weight.outputs());
}

Matrix matrix(const Tensor& x, bool transposed = false) { return {x.data<float>(), x.row_stride(), transposed}; }

constexpr int64_t kFewRows = 8;

// Reads weights once, unpacked: a decoding step is bound by memory.
template <class T>
void linear_of_few(ThreadPool& pool, const Tensor& x, const Tensor& weight, const Tensor& bias, Activation activation,
                   const Tensor& out, const Tensor& before) {
  constexpr int64_t kFloats = 1 << 14, kOutputs = 12;  // dots() computes twelve at a time
  const int64_t depth = weight.dim(1), rows = x.rows();
  const int64_t chunk = std::max<int64_t>(1, kFloats / std::max<int64_t>(1, depth) / kOutputs) * kOutputs;
  for_chunks(pool, weight.dim(0), chunk, [&](int64_t begin, int64_t end) {
    rows::dots(x.data<float>(), x.row_stride(), rows, weight.row<T>(begin), weight.row_stride(), end - begin, depth,
               out.data<float>() + begin, out.row_stride());
    for (int64_t i = 0; i < rows; ++i) {
      float* const products = out.row<float>(i) + begin;
      const float* const of_bias = bias.defined() ? bias.data<float>() + begin : nullptr;
      float* const sums = before.defined() ? before.row<float>(i) + begin : nullptr;
      if (sums != nullptr) std::copy_n(products, end - begin, sums);
      rows::bias_activation(activation, of_bias, sums != nullptr ? sums : products, products, end - begin);
    }
  });
}

}  // namespace

void CpuBackend::linear(const Tensor& x, const WeightView& weight, const Tensor& bias, Activation activation,
                        const Tensor& out, const Tensor& before) {
  const ScopedTimer timed(profile(), "linear", operations(x, weight), 0);
  if (x.rows() <= kFewRows && weight.prepared == nullptr) {
    const DType dtype = weight.rows.dtype();
    const bool exact = number_types_.weights == Precision::float32, half = number_types_.weights == Precision::bfloat16;
    if (dtype == DType::bfloat16 && (exact || half)) {
      return linear_of_few<BFloat16>(pool_, x, weight.rows, bias, activation, out, before);
    }
    if (dtype == DType::float16 && exact) {
      return linear_of_few<Float16>(pool_, x, weight.rows, bias, activation, out, before);
    }
    if (dtype == DType::float32 && exact) {
      return linear_of_few<float>(pool_, x, weight.rows, bias, activation, out, before);
    }
  }
  tile::Epilogue epilogue{
      .bias = bias.defined() ? bias.data<float>() : nullptr,
      .activation = activation,
      .out = out.data<float>(),
      .out_stride = out.row_stride(),
  };
  if (before.defined()) {
    epilogue.before = before.data<float>();
    epilogue.before_stride = before.row_stride();
  }
  multiply_weight(x, weight, epilogue);
}

void CpuBackend::linear_backward_input(const Tensor& dout, const Tensor& weight, const Tensor& dx, bool accumulate) {
  const ScopedTimer timed(profile(), "linear, gradient of inputs", operations(dout, weight), 0);
  Matrix factor = matrix(weight);
  factor.rounded = number_types_.weights == Precision::bfloat16 && number_types_.gradients == Precision::float32;
  multiply(*this, number_types_.gradients, dout.rows(), weight.dim(1), weight.dim(0), matrix(dout), factor,
           {.accumulate = accumulate, .out = dx.data<float>(), .out_stride = dx.row_stride()});
}

void CpuBackend::linear_backward_weight(const Tensor& dout, const Tensor& x, const Tensor& dweight,
                                        const Tensor& dbias) {
  const int64_t tokens = dout.rows();
  if (tokens == 0) return;
  const ScopedTimer timed(profile(), "linear, gradient of weights", operations(dout, dweight), 0);
  multiply(*this, number_types_.gradients, dweight.dim(0), dweight.dim(1), tokens, matrix(dout, true), matrix(x),
           {.accumulate = true, .out = dweight.data<float>(), .out_stride = dweight.row_stride()});
  if (!dbias.defined()) return;
  constexpr int64_t kStrip = 128, kPart = 256;  // sums of row chunks, for accuracy with many tokens
  for_chunks(pool_, dout.columns(), kStrip, [&](int64_t begin, int64_t end) {
    float chunk[kStrip];
    for (int64_t t = 0; t < tokens; t += kPart) {
      std::fill_n(chunk, kStrip, 0.0f);
      for (int64_t i = t; i < std::min(tokens, t + kPart); ++i)
        rows::add(dout.row<float>(i) + begin, chunk, end - begin);
      rows::add(chunk, dbias.data<float>() + begin, end - begin);
    }
  });
}

}  // namespace roformer
