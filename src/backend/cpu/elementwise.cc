// Memory, pointwise kernels, layer norm, rotation, AdamW: work split by rows.
#include <algorithm>
#include <cmath>
#include <vector>

#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/rows.h"
#include "backend/cpu/simd.h"
#include "base/error.h"

namespace roformer {

namespace {

constexpr int64_t kChunkElements = 16384;

int64_t chunk_rows(int64_t columns) { return std::max<int64_t>(1, kChunkElements / std::max<int64_t>(1, columns)); }

int64_t padded(int64_t columns) { return (columns + 63) / 64 * 64; }  // dropout factors come in groups of 64

// body(begin, end) over chunks of rows.
void for_rows(ThreadPool& pool, const Tensor& x, const std::function<void(int64_t, int64_t)>& body) {
  for_chunks(pool, x.rows(), chunk_rows(x.columns()), body);
}

// Rows of residual + dropout(x) and of its gradients; one a task, for its room.
class ResidualSum {
 public:
  ResidualSum(const Dropout& dropout, int64_t columns)
      : dropout_(dropout), columns_(columns), factors_(dropout.active() ? static_cast<size_t>(padded(columns)) : 0) {}

  void forward(const Tensor& x, const Tensor& residual, int64_t i, const Tensor& sum) {
    float* row = sum.row<float>(i);
    if (residual.defined() && !dropout_.active()) {
      return rows::sum(x.row<float>(i), residual.row<float>(i), row, columns_);
    }
    copy_dropped(x, i, row);
    if (residual.defined()) rows::add(residual.row<float>(i), row, columns_);
  }
  void backward(const Tensor& dsum, int64_t i, const Tensor& dx) {
    if (dx.defined()) copy_dropped(dsum, i, dx.row<float>(i));
  }

 private:
  void copy_dropped(const Tensor& from, int64_t i, float* to) {
    if (dropout_.active()) {
      rows::dropout_factors(dropout_, static_cast<uint32_t>(i), 0, columns_, factors_.data());
      rows::multiply(from.row<float>(i), factors_.data(), to, columns_);
    } else if (to != from.row<float>(i)) {
      std::copy_n(from.row<float>(i), columns_, to);
    }
  }

  const Dropout& dropout_;
  int64_t columns_;
  std::vector<float> factors_;
};

}  // namespace

Tensor CpuBackend::empty(Shape shape) {
  int64_t bytes;
  if (__builtin_mul_overflow(shape.elements(), int64_t{4}, &bytes)) {
    throw ShapeError("tensor {} is too large", shape.to_string());
  }
  return Tensor(memory_->take(static_cast<size_t>(bytes)), DType::float32, shape);
}

void CpuBackend::fill(const Tensor& x, double value) {
  for_rows(pool_, x, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) std::fill_n(x.row<float>(i), x.columns(), static_cast<float>(value));
  });
}

void CpuBackend::copy(const Tensor& from, const Tensor& to) {
  for_rows(pool_, from, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) std::copy_n(from.row<float>(i), from.columns(), to.row<float>(i));
  });
}

void CpuBackend::add(const Tensor& x, const Tensor& y) {
  for_rows(pool_, x, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) rows::add(x.row<float>(i), y.row<float>(i), x.columns());
  });
}

double CpuBackend::squared_norm(const Tensor& x) {
  const int64_t chunk = chunk_rows(x.columns());
  std::vector<double> parts(static_cast<size_t>((x.rows() + chunk - 1) / chunk));
  for_chunks(pool_, x.rows(), chunk, [&](int64_t begin, int64_t end) {
    double sum = 0;
    for (int64_t i = begin; i < end; ++i) sum += rows::squared_sum(x.row<float>(i), x.columns());
    parts[static_cast<size_t>(begin / chunk)] = sum;
  });
  double total = 0;
  for (double part : parts) total += part;
  return total;
}

void CpuBackend::activation_backward(Activation activation, const Tensor& before, const Tensor& dout,
                                     const Tensor& dbefore) {
  for_rows(pool_, before, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      rows::activation_backward(activation, before.row<float>(i), dout.row<float>(i), dbefore.row<float>(i),
                                before.columns());
    }
  });
}

void CpuBackend::layer_norm(const Tensor& x, const Tensor& residual, const Dropout& dropout, const Tensor& gain,
                            const Tensor& bias, double epsilon, const Tensor& sum, const Tensor& statistics,
                            const Tensor& out) {
  const int64_t columns = x.columns();
  for_rows(pool_, x, [&](int64_t begin, int64_t end) {
    ResidualSum sums(dropout, columns);
    for (int64_t i = begin; i < end; ++i) {
      sums.forward(x, residual, i, sum);
      rows::layer_norm(sum.row<float>(i), gain.data<float>(), bias.data<float>(), static_cast<float>(epsilon),
                       statistics.row<float>(i), out.row<float>(i), columns);
    }
  });
}

void CpuBackend::layer_norm_backward(const Tensor& dout, const Tensor& sum, const Tensor& statistics,
                                     const Tensor& gain, const Dropout& dropout, const Tensor& dsum, const Tensor& dx,
                                     const Tensor& dgain, const Tensor& dbias) {
  const int64_t columns = sum.columns(), chunk = std::max<int64_t>(64, chunk_rows(columns));
  const int64_t chunks = (sum.rows() + chunk - 1) / chunk;
  std::vector<float> parts(static_cast<size_t>(chunks * 2 * columns), 0.0f);  // dgain and dbias of each chunk of rows
  for_chunks(pool_, sum.rows(), chunk, [&](int64_t begin, int64_t end) {
    float* dgain_part = parts.data() + begin / chunk * 2 * columns;
    ResidualSum sums(dropout, columns);
    for (int64_t i = begin; i < end; ++i) {
      rows::layer_norm_backward(dout.row<float>(i), sum.row<float>(i), statistics.row<float>(i), gain.data<float>(),
                                dsum.row<float>(i), dgain_part, dgain_part + columns, columns);
      sums.backward(dsum, i, dx);
    }
  });
  for (int64_t c = 0; c < chunks; ++c) {
    if (dgain.defined()) rows::add(parts.data() + c * 2 * columns, dgain.data<float>(), columns);
    if (dbias.defined()) rows::add(parts.data() + (c * 2 + 1) * columns, dbias.data<float>(), columns);
  }
}

void CpuBackend::rms_norm(const Tensor& x, const Tensor& residual, const Dropout& dropout, const Tensor& gain,
                          double epsilon, const Tensor& sum, const Tensor& statistics, const Tensor& out) {
  const float* gain_row = gain.defined() ? gain.data<float>() : nullptr;
  for_rows(pool_, x, [&](int64_t begin, int64_t end) {
    ResidualSum sums(dropout, x.columns());
    for (int64_t i = begin; i < end; ++i) {
      sums.forward(x, residual, i, sum);
      *statistics.row<float>(i) =
          rows::rms_norm(sum.row<float>(i), gain_row, static_cast<float>(epsilon), out.row<float>(i), x.columns());
    }
  });
}

void CpuBackend::rms_norm_backward(const Tensor& dout, const Tensor& sum, const Tensor& statistics, const Tensor& gain,
                                   const Dropout& dropout, const Tensor& dsum, const Tensor& dx, const Tensor& dgain) {
  const int64_t columns = sum.columns(), chunk = std::max<int64_t>(64, chunk_rows(columns));
  const int64_t chunks = dgain.defined() ? (sum.rows() + chunk - 1) / chunk : 0;
  const float* gain_row = gain.defined() ? gain.data<float>() : nullptr;
  std::vector<float> parts(static_cast<size_t>(chunks * columns), 0.0f);  // dgain of each chunk of rows
  for_chunks(pool_, sum.rows(), chunk, [&](int64_t begin, int64_t end) {
    float* part = dgain.defined() ? parts.data() + begin / chunk * columns : nullptr;
    ResidualSum sums(dropout, columns);
    for (int64_t i = begin; i < end; ++i) {
      rows::rms_norm_backward(dout.row<float>(i), sum.row<float>(i), *statistics.row<float>(i), gain_row,
                              dsum.row<float>(i), part, columns);
      sums.backward(dsum, i, dx);
    }
  });
  for (int64_t c = 0; c < chunks; ++c) rows::add(parts.data() + c * columns, dgain.data<float>(), columns);
}

void CpuBackend::dropout(const Tensor& x, const Dropout& dropout, const Tensor& out) {
  for_rows(pool_, x, [&](int64_t begin, int64_t end) {
    std::vector<float> factors(static_cast<size_t>(padded(x.columns())));
    for (int64_t i = begin; i < end; ++i) {
      rows::dropout_factors(dropout, static_cast<uint32_t>(i), 0, x.columns(), factors.data());
      rows::multiply(x.row<float>(i), factors.data(), out.row<float>(i), x.columns());
    }
  });
}

void CpuBackend::rotate(const Tensor& x, int64_t heads, const RotaryAngles& angles, bool transposed) {
  const int64_t head_dim = x.columns() / heads, pairs = angles.dim / 2;
  const float sign = transposed ? -1.0f : 1.0f;
  const auto turn = angles.layout == RotaryLayout::adjacent ? rows::rotate_adjacent : rows::rotate_half;
  for_rows(pool_, x, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      const float* cos = angles.cos.row<float>(angles.row[static_cast<size_t>(t)]);
      const float* sin = angles.sin.row<float>(angles.row[static_cast<size_t>(t)]);
      for (int64_t head = 0; head < heads; ++head) turn(x.row<float>(t) + head * head_dim, cos, sin, sign, pairs);
    }
  });
}

void CpuBackend::adamw(const AdamWStep& step, const Tensor& gradient, const Tensor& parameter,
                       const Tensor& first_moment, const Tensor& second_moment) {
  const double correction1 = 1 - std::pow(step.beta1, static_cast<double>(step.step));
  const double correction2 = 1 - std::pow(step.beta2, static_cast<double>(step.step));
  const rows::AdamWFactors factors{.gradient_scale = static_cast<float>(step.gradient_scale),
                                   .beta1 = static_cast<float>(step.beta1),
                                   .beta2 = static_cast<float>(step.beta2),
                                   .step_size = static_cast<float>(step.learning_rate / correction1),
                                   .root_correction = static_cast<float>(1 / std::sqrt(correction2)),
                                   .epsilon = static_cast<float>(step.epsilon),
                                   .decay = static_cast<float>(1 - step.learning_rate * step.weight_decay)};
  for_rows(pool_, parameter, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      rows::adamw(factors, gradient.row<float>(i), parameter.row<float>(i), first_moment.row<float>(i),
                  second_moment.row<float>(i), parameter.columns());
    }
  });
}

std::unique_ptr<Backend> make_cpu_backend(ThreadPool& pool, Precision precision) {
  simd::apply_limit();
  return std::make_unique<CpuBackend>(pool, precision);
}

}  // namespace roformer
