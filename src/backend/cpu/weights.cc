// Weights for inference. Passes of few tokens read rows in place, in 32 or 16 bits: they are bound by memory, and a
// packed copy would gain nothing. For many tokens weights are packed once. int8, with its scales, is always packed, and
// of decoders, as int4, in groups.
#include "backend/cpu/weights.h"

#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/gemm/grouped.h"
#include "backend/cpu/gemm/product.h"

namespace roformer {

namespace {

// Aligns each matrix to a cache line.
int64_t padded_floats(Precision precision, const Tensor& rows) {
  constexpr int64_t kLine = 16;
  return ceil_div(PackedMatrix::floats(precision, rows.dim(1), rows.dim(0), rows.dtype()), kLine) * kLine;
}

Tensor rounded_rows(ThreadPool& pool, const Tensor& rows) {
  Tensor result = Tensor::allocate(rows.shape(), DType::bfloat16);
  pool.run(rows.rows(), [&](int64_t i) {
    auto* const out = reinterpret_cast<uint16_t*>(result.row<BFloat16>(i));
    if (rows.dtype() == DType::float32) return tile::to_bfloat16(rows.row<float>(i), out, rows.columns());
    constexpr int64_t kPart = 256;
    float part[kPart];
    for (int64_t c = 0; c < rows.columns(); c += kPart) {
      const int64_t count = std::min(kPart, rows.columns() - c);
      tile::widen(rows.row<Float16>(i) + c, part, count);
      tile::to_bfloat16(part, out + c, count);
    }
  });
  return result;
}

}  // namespace

bool CpuBackend::reads_weights(DType dtype) const {
  return dtype == DType::float32 || dtype == DType::bfloat16 || dtype == DType::float16;
}

std::vector<std::shared_ptr<const PreparedWeight>> CpuBackend::prepare(std::span<Tensor> weights, PassSize passes) {
  std::vector<std::shared_ptr<const PreparedWeight>> prepared(weights.size());
  const bool grouped = number_types_.weights == Precision::int8 || number_types_.weights == Precision::int4;
  if (grouped && passes == PassSize::decoding) {
    for (size_t i = 0; i < weights.size(); ++i) {
      Tensor& rows = weights[i];
      prepared[i] = std::make_shared<GroupedWeight>(rows.shape(), GroupedMatrix(*this, number_types_.weights, rows));
      rows = Tensor();
    }
    return prepared;
  }
  if (number_types_.weights != Precision::int8 && passes != PassSize::many_tokens) {
    for (Tensor& rows : weights) {
      if (number_types_.weights == Precision::bfloat16 && rows.dtype() != DType::bfloat16)
        rows = rounded_rows(pool_, rows);
    }
    return prepared;
  }
  // One allocation for all of them, so that it can use huge pages. Its pages are committed as it fills, and the rows of
  // each weight are released before those of the next are read.
  int64_t floats = 0, used = 0;
  for (const Tensor& rows : weights) floats += padded_floats(number_types_.weights, rows);
  const Tensor memory = zeros({1, floats});
  for (size_t i = 0; i < weights.size(); ++i) {
    Tensor& rows = weights[i];
    const int64_t size = padded_floats(number_types_.weights, rows);
    prepared[i] = std::make_shared<PackedWeight>(
        rows.shape(), PackedMatrix(pool_, memory.column_range(used, size), number_types_.weights,
                                   second_factor(rows, false), rows.dim(1), rows.dim(0)));
    used += size;
    rows = Tensor();
  }
  return prepared;
}

void CpuBackend::multiply_weight(const Tensor& x, const WeightView& weight, const tile::Epilogue& epilogue) {
  const Matrix a{x.data<float>(), x.row_stride()};
  const int64_t inputs = weight.inputs(), outputs = weight.outputs();
  if (const auto* const grouped = dynamic_cast<const GroupedWeight*>(weight.prepared)) {
    return multiply_grouped(pool_, x, grouped->matrix(), epilogue);
  }
  if (weight.prepared != nullptr) {
    const auto& packed = static_cast<const PackedWeight&>(*weight.prepared);
    return multiply(*this, number_types_.products, x.rows(), a, packed.matrix(), epilogue);
  }
  if (number_types_.weights == Precision::int8) {  // as prepare() would have done
    const Matrix b = second_factor(weight.rows, false);
    const PackedMatrix packed(pool_, empty({PackedMatrix::floats(Precision::int8, inputs, outputs)}), Precision::int8,
                              b, inputs, outputs);
    return multiply(*this, number_types_.products, x.rows(), a, packed, epilogue);
  }
  multiply(*this, number_types_.products, x.rows(), outputs, inputs, a,
           second_factor(weight.rows, number_types_.weights == Precision::bfloat16 && number_types_.widened()),
           epilogue, weight.constant ? Packing::in_cache : Packing::in_memory);
}

}  // namespace roformer
