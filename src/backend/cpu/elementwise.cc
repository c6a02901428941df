// Memory, pointwise kernels, layer norm, rotation, AdamW: work split by rows.
#include <algorithm>
#include <cmath>
#include <vector>

#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/rows/rows.h"
#include "backend/cpu/simd.h"
#include "base/error.h"

namespace roformer {

namespace {

constexpr int64_t kChunkElements = 16384;

int64_t chunk_rows(int64_t columns) { return std::max<int64_t>(1, kChunkElements / std::max<int64_t>(1, columns)); }

// body(begin, end) over chunks of rows.
void for_rows(ThreadPool& pool, const Tensor& x, const std::function<void(int64_t, int64_t)>& body) {
  for_chunks(pool, x.rows(), chunk_rows(x.columns()), body);
}

// to = row i of from, with its dropout if active.
void copy_dropped(const Dropout& dropout, const Tensor& from, int64_t i, float* to) {
  constexpr int64_t kBlock = 1024;
  const float* row = from.row<float>(i);
  const int64_t columns = from.columns();
  if (!dropout.active()) {
    if (to != row) std::copy_n(row, columns, to);
    return;
  }
  float factors[kBlock];
  for (int64_t c = 0; c < columns; c += kBlock) {
    const int64_t count = std::min(kBlock, columns - c);
    rows::dropout_factors(dropout, static_cast<uint32_t>(i), c, count, factors);
    rows::multiply(row + c, factors, to + c, count);
  }
}

// Row i of residual + dropout(x).
void add_residual(const Tensor& x, const Tensor& residual, const Dropout& dropout, int64_t i, const Tensor& sum) {
  float* row = sum.row<float>(i);
  if (residual.defined() && !dropout.active()) {
    return rows::sum(x.row<float>(i), residual.row<float>(i), row, x.columns());
  }
  copy_dropped(dropout, x, i, row);
  if (residual.defined()) rows::add(residual.row<float>(i), row, x.columns());
}

// Maps the chunks of many tensors to one range of tasks, so that small tensors run in parallel.
class Chunks {
 public:
  template <class Items, class TensorOf>
  Chunks(const Items& items, TensorOf&& tensor_of) {
    first_.reserve(items.size() + 1);
    first_.push_back(0);
    for (const auto& item : items) {
      const Tensor& x = tensor_of(item);
      const int64_t rows = chunk_rows(x.columns());
      first_.push_back(first_.back() + ceil_div(x.rows(), rows));
    }
  }

  int64_t count() const { return first_.back(); }
  int64_t first_of(size_t item) const { return first_[item]; }
  size_t item_of(int64_t chunk) const {
    return static_cast<size_t>(std::upper_bound(first_.begin(), first_.end(), chunk) - first_.begin()) - 1;
  }
  // Calls body(row) for the rows of a chunk of x, the tensor `item`.
  template <class Body>
  void for_rows_of(int64_t chunk, size_t item, const Tensor& x, Body&& body) const {
    const int64_t rows = chunk_rows(x.columns()), begin = (chunk - first_[item]) * rows;
    for (int64_t i = begin; i < std::min(x.rows(), begin + rows); ++i) body(i);
  }

 private:
  std::vector<int64_t> first_;  // first chunk of each tensor, then the total
};

// Bytes, for the profile.
double size_of(const Tensor& x) { return static_cast<double>(x.bytes()); }

template <class Item, class Member>
double size_of(std::span<const Item> items, const Member& member) {
  double bytes = 0;
  for (const Item& item : items) bytes += size_of(member(item));
  return bytes;
}

}  // namespace

Tensor CpuBackend::empty(Shape shape, DType dtype) {
  int64_t bytes;
  if (__builtin_mul_overflow(shape.elements(), dtype_size(dtype), &bytes)) {
    throw ShapeError("tensor {} is too large", shape.to_string());
  }
  return Tensor(memory_->allocate(static_cast<size_t>(bytes)), dtype, shape);
}

void CpuBackend::fill(const Tensor& x, double value) {
  const ScopedTimer timed(profile(), "fill", 0, size_of(x));
  for_rows(pool_, x, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) std::fill_n(x.row<float>(i), x.columns(), static_cast<float>(value));
  });
}

void CpuBackend::copy(const Tensor& from, const Tensor& to) {
  const ScopedTimer timed(profile(), "copy", 0, 2 * size_of(from));
  for_rows(pool_, from, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) std::copy_n(from.row<float>(i), from.columns(), to.row<float>(i));
  });
}

void CpuBackend::add(const Tensor& x, const Tensor& y) {
  const ScopedTimer timed(profile(), "add", 0, 3 * size_of(x));
  for_rows(pool_, x, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) rows::add(x.row<float>(i), y.row<float>(i), x.columns());
  });
}

double CpuBackend::squared_norm(std::span<const Tensor> tensors) {
  const ScopedTimer timed(profile(), "gradient norm", 0, size_of(tensors, [](const Tensor& x) { return x; }));
  const Chunks chunks(tensors, [](const Tensor& x) -> const Tensor& { return x; });
  const Scratch<double> parts(*memory_, chunks.count());
  pool_.run(chunks.count(), [&](int64_t chunk) {
    const size_t item = chunks.item_of(chunk);
    const Tensor& x = tensors[item];
    double sum = 0;
    chunks.for_rows_of(chunk, item, x, [&](int64_t i) { sum += rows::squared_sum(x.row<float>(i), x.columns()); });
    parts[chunk] = sum;
  });
  double total = 0;
  for (size_t item = 0; item < tensors.size(); ++item) {
    double sum = 0;
    for (int64_t chunk = chunks.first_of(item); chunk < chunks.first_of(item + 1); ++chunk) sum += parts[chunk];
    total += sum;
  }
  return total;
}

void CpuBackend::activation_backward(Activation activation, const Tensor& before, const Tensor& dout,
                                     const Tensor& dbefore, const Tensor& out) {
  const ScopedTimer timed(profile(), "activation, backward", 0, 3 * size_of(dout));
  for_rows(pool_, before, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      rows::activation_backward(activation, before.row<float>(i), dout.row<float>(i), dbefore.row<float>(i),
                                out.defined() ? out.row<float>(i) : nullptr, before.columns());
    }
  });
}

void CpuBackend::gated(Activation activation, const Tensor& gate, const Tensor& x, const Tensor& out) {
  const ScopedTimer timed(profile(), "gate", 0, 3 * size_of(x));
  for_rows(pool_, x, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      rows::gated(activation, gate.row<float>(i), x.row<float>(i), out.row<float>(i), x.columns());
    }
  });
}

void CpuBackend::gated_backward(Activation activation, const Tensor& gate, const Tensor& x, const Tensor& dout,
                                const Tensor& dgate, const Tensor& dx, const Tensor& out) {
  const ScopedTimer timed(profile(), "gate, backward", 0, 6 * size_of(x));
  for_rows(pool_, x, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      rows::gated_backward(activation, {gate.row<float>(i), x.row<float>(i), dout.row<float>(i)},
                           {dgate.row<float>(i), dx.row<float>(i), out.row<float>(i)}, x.columns());
    }
  });
}

void CpuBackend::layer_norm(const Tensor& x, const Tensor& residual, const Dropout& dropout, const Tensor& gain,
                            const Tensor& bias, double epsilon, const Tensor& sum, const Tensor& statistics,
                            const Tensor& out) {
  const ScopedTimer timed(profile(), "residual and norm", 0, 4 * size_of(x));
  const int64_t columns = x.columns();
  const float* const bias_row = bias.defined() ? bias.data<float>() : nullptr;
  for_rows(pool_, x, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      add_residual(x, residual, dropout, i, sum);
      rows::layer_norm(sum.row<float>(i), gain.data<float>(), bias_row, static_cast<float>(epsilon),
                       statistics.row<float>(i), out.row<float>(i), columns);
    }
  });
}

void CpuBackend::layer_norm_backward(const Tensor& dout, const Tensor& sum, const Tensor& statistics,
                                     const Tensor& gain, const Dropout& dropout, const Tensor& dsum, const Tensor& dx,
                                     const Tensor& dgain, const Tensor& dbias) {
  const ScopedTimer timed(profile(), "residual and norm, backward", 0, 4 * size_of(dout));
  const int64_t columns = sum.columns(), chunk = std::max<int64_t>(64, chunk_rows(columns));
  const int64_t chunks = ceil_div(sum.rows(), chunk);
  const Scratch<float> parts(*memory_, chunks * 2 * columns);  // dgain and dbias of each chunk of rows
  for_chunks(pool_, sum.rows(), chunk, [&](int64_t begin, int64_t end) {
    float* dgain_part = parts.data() + begin / chunk * 2 * columns;
    std::fill_n(dgain_part, 2 * columns, 0.0f);
    for (int64_t i = begin; i < end; ++i) {
      rows::layer_norm_backward(dout.row<float>(i), sum.row<float>(i), statistics.row<float>(i), gain.data<float>(),
                                dsum.row<float>(i), dgain_part, dgain_part + columns, columns);
      if (dx.defined()) copy_dropped(dropout, dsum, i, dx.row<float>(i));
    }
  });
  for (int64_t c = 0; c < chunks; ++c) {
    if (dgain.defined()) rows::add(parts.data() + c * 2 * columns, dgain.data<float>(), columns);
    if (dbias.defined()) rows::add(parts.data() + (c * 2 + 1) * columns, dbias.data<float>(), columns);
  }
}

void CpuBackend::rms_norm(const Tensor& x, const Tensor& residual, const Dropout& dropout, const Tensor& gain,
                          double epsilon, const Tensor& sum, const Tensor& statistics, const Tensor& out) {
  const ScopedTimer timed(profile(), "residual and norm", 0, 4 * size_of(x));
  const float* gain_row = gain.defined() ? gain.data<float>() : nullptr;
  for_rows(pool_, x, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      add_residual(x, residual, dropout, i, sum);
      *statistics.row<float>(i) =
          rows::rms_norm(sum.row<float>(i), gain_row, static_cast<float>(epsilon), out.row<float>(i), x.columns());
    }
  });
}

void CpuBackend::rms_norm_backward(const Tensor& dout, const Tensor& sum, const Tensor& statistics, const Tensor& gain,
                                   const Dropout& dropout, const Tensor& dsum, const Tensor& dx, const Tensor& dgain) {
  const ScopedTimer timed(profile(), "residual and norm, backward", 0, 4 * size_of(dout));
  const int64_t columns = sum.columns(), chunk = std::max<int64_t>(64, chunk_rows(columns));
  const int64_t chunks = dgain.defined() ? ceil_div(sum.rows(), chunk) : 0;
  const float* gain_row = gain.defined() ? gain.data<float>() : nullptr;
  const Scratch<float> parts(*memory_, chunks * columns);  // dgain of each chunk of rows
  for_chunks(pool_, sum.rows(), chunk, [&](int64_t begin, int64_t end) {
    float* part = dgain.defined() ? parts.data() + begin / chunk * columns : nullptr;
    if (part != nullptr) std::fill_n(part, columns, 0.0f);
    for (int64_t i = begin; i < end; ++i) {
      rows::rms_norm_backward(dout.row<float>(i), sum.row<float>(i), *statistics.row<float>(i), gain_row,
                              dsum.row<float>(i), part, columns);
      if (dx.defined()) copy_dropped(dropout, dsum, i, dx.row<float>(i));
    }
  });
  for (int64_t c = 0; c < chunks; ++c) rows::add(parts.data() + c * columns, dgain.data<float>(), columns);
}

void CpuBackend::dropout(const Tensor& x, const Dropout& dropout, const Tensor& out) {
  const ScopedTimer timed(profile(), "dropout", 0, 2 * size_of(x));
  for_rows(pool_, x, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) copy_dropped(dropout, x, i, out.row<float>(i));
  });
}

void CpuBackend::rotate(const Tensor& x, int64_t heads, const RotaryAngles& angles, bool transposed) {
  const ScopedTimer timed(profile(), "rotation", 0, 2 * size_of(x));
  const int64_t head_dim = x.columns() / heads, pairs = angles.dim / 2;
  const float sign = transposed ? -1.0f : 1.0f;
  const auto rotate_head = angles.layout == RotaryLayout::adjacent ? rows::rotate_adjacent : rows::rotate_half;
  for_rows(pool_, x, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      const float* cos = angles.cos.row<float>(angles.row[static_cast<size_t>(t)]);
      const float* sin = angles.sin.row<float>(angles.row[static_cast<size_t>(t)]);
      for (int64_t head = 0; head < heads; ++head)
        rotate_head(x.row<float>(t) + head * head_dim, cos, sin, sign, pairs);
    }
  });
}

void CpuBackend::adamw(const AdamWStep& step, std::span<const AdamWTensors> tensors) {
  const ScopedTimer timed(profile(), "AdamW", 0,
                          7 * size_of(tensors, [](const AdamWTensors& x) { return x.parameter; }));
  const double correction1 = 1 - std::pow(step.beta1, static_cast<double>(step.step));
  const double correction2 = 1 - std::pow(step.beta2, static_cast<double>(step.step));
  const rows::AdamWFactors common{.gradient_scale = static_cast<float>(step.gradient_scale),
                                  .beta1 = static_cast<float>(step.beta1),
                                  .beta2 = static_cast<float>(step.beta2),
                                  .step_size = static_cast<float>(step.learning_rate / correction1),
                                  .root_correction = static_cast<float>(1 / std::sqrt(correction2)),
                                  .epsilon = static_cast<float>(step.epsilon),
                                  .decay = 1};
  const Chunks chunks(tensors, [](const AdamWTensors& one) -> const Tensor& { return one.parameter; });
  pool_.run(chunks.count(), [&](int64_t chunk) {
    const size_t item = chunks.item_of(chunk);
    const AdamWTensors& one = tensors[item];
    rows::AdamWFactors factors = common;
    factors.decay = static_cast<float>(1 - step.learning_rate * one.weight_decay);
    const int64_t columns = one.parameter.columns();
    chunks.for_rows_of(chunk, item, one.parameter, [&](int64_t i) {
      float* gradient = one.gradient.row<float>(i);
      rows::adamw(factors, gradient, one.parameter.row<float>(i), one.first_moment.row<float>(i),
                  one.second_moment.row<float>(i), columns);
      if (step.zero_gradients) std::fill_n(gradient, columns, 0.0f);
    });
  });
}

std::unique_ptr<Backend> make_cpu_backend(ThreadPool& pool, Precision precision) {
  simd::apply_limit();
  return std::make_unique<CpuBackend>(pool, precision);
}

}  // namespace roformer
