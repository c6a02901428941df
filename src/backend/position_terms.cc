// The small kernels of position encodings, for backends that compute on the host. Sums are double.
#include <cmath>
#include <vector>

#include "backend/host_backend.h"

namespace roformer {
namespace {

constexpr int64_t kRows = 16;  // per task

// Calls body(Real()) with the backend's element type.
template <class Body>
void with_real(DType real, const Body& body) {
  if (real == DType::float64) return body(double());
  body(float());
}

template <class Real>
void add_to(Real& sum, double value) {
  sum = static_cast<Real>(static_cast<double>(sum) + value);
}

// For each pair, Σ over some tokens and all heads of position · ∂loss/∂angle.
template <class Real>
std::vector<double> angle_gradients(const Tensor& x, const Tensor& dx, int64_t heads, const RotaryAngles& angles,
                                    std::span<const int32_t> positions, int64_t begin, int64_t end) {
  const Rotary rotary{.dim = angles.dim, .layout = angles.layout};
  const int64_t head_dim = x.columns() / heads, pairs = angles.dim / 2;
  std::vector<double> sums(static_cast<size_t>(pairs));
  std::vector<Real> gradients(static_cast<size_t>(pairs));
  for (int64_t t = begin; t < end; ++t) {
    std::fill(gradients.begin(), gradients.end(), Real(0));
    for (int64_t head = 0; head < heads; ++head) {
      const Real* const y = x.row<Real>(t) + head * head_dim;
      const Real* const dy = dx.row<Real>(t) + head * head_dim;
      for (int64_t i = 0; i < pairs; ++i) {
        const auto [first, second] = rotary_pair(rotary, i);
        gradients[static_cast<size_t>(i)] += dy[second] * y[first] - dy[first] * y[second];  // y′ = (−y1, y0)
      }
    }
    const double position = positions[static_cast<size_t>(t)];
    for (int64_t i = 0; i < pairs; ++i) sums[static_cast<size_t>(i)] += position * gradients[static_cast<size_t>(i)];
  }
  return sums;
}

}  // namespace

void HostBackend::rotary_frequencies_backward(const Tensor& x, const Tensor& dx, int64_t heads,
                                              const RotaryAngles& angles, std::span<const int32_t> positions,
                                              const Tensor& logs, const Tensor& dlogs) {
  constexpr int64_t kTokens = 64;
  const int64_t chunks = ceil_div(x.rows(), kTokens);
  std::vector<std::vector<double>> parts(static_cast<size_t>(chunks));
  with_real(real(), [&]<class Real>(Real) {
    pool().run(chunks, [&](int64_t chunk) {
      const int64_t begin = chunk * kTokens, end = std::min(begin + kTokens, x.rows());
      parts[static_cast<size_t>(chunk)] = angle_gradients<Real>(x, dx, heads, angles, positions, begin, end);
    });
    for (int64_t i = 0; i < angles.dim / 2; ++i) {
      double sum = 0;
      for (const std::vector<double>& part : parts) sum += part[static_cast<size_t>(i)];
      add_to(dlogs.data<Real>()[i], sum * std::exp(static_cast<double>(logs.data<Real>()[i])));
    }
  });
}

void HostBackend::head_products(const Tensor& table, const Tensor& vector, int64_t heads, double factor,
                                const Tensor& out, bool accumulate) {
  const int64_t dim = table.columns() / heads;
  with_real(real(), [&]<class Real>(Real) {
    for_chunks(pool(), table.rows(), kRows, [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) {
        for (int64_t head = 0; head < heads; ++head) {
          double sum = 0;
          for (int64_t c = head * dim; c < (head + 1) * dim; ++c) {
            sum += static_cast<double>(table.row<Real>(r)[c]) * vector.data<Real>()[c];
          }
          Real& to = out.row<Real>(r)[head];
          to = static_cast<Real>((accumulate ? static_cast<double>(to) : 0) + factor * sum);
        }
      }
    });
  });
}

void HostBackend::head_products_backward(const Tensor& table, const Tensor& vector, int64_t heads, double factor,
                                         const Tensor& dout, const Tensor& dtable, const Tensor& dvector) {
  const int64_t dim = table.columns() / heads;
  with_real(real(), [&]<class Real>(Real) {
    for_chunks(pool(), heads, 1, [&](int64_t head, int64_t) {
      std::vector<double> sums(static_cast<size_t>(dim));
      for (int64_t r = 0; r < table.rows(); ++r) {
        const double d = factor * dout.row<Real>(r)[head];
        for (int64_t c = 0; c < dim; ++c) {
          const int64_t column = head * dim + c;
          sums[static_cast<size_t>(c)] += d * table.row<Real>(r)[column];
          if (dtable.defined()) add_to(dtable.row<Real>(r)[column], d * vector.data<Real>()[column]);
        }
      }
      for (int64_t c = 0; dvector.defined() && c < dim; ++c) {
        add_to(dvector.data<Real>()[head * dim + c], sums[static_cast<size_t>(c)]);
      }
    });
  });
}

void HostBackend::kerple_bias(const Tensor& logs, const Tensor& out) {
  const int64_t clip = out.rows() / 2;
  with_real(real(), [&]<class Real>(Real) {
    for (int64_t head = 0; head < out.columns(); ++head) {
      const double r1 = std::exp(static_cast<double>(logs.row<Real>(0)[head]));
      const double r2 = std::exp(static_cast<double>(logs.row<Real>(1)[head]));
      for (int64_t row = 0; row < out.rows(); ++row) {
        const auto distance = static_cast<double>(std::abs(row - clip));
        out.row<Real>(row)[head] = static_cast<Real>(-r1 * std::log1p(r2 * distance));
      }
    }
  });
}

void HostBackend::kerple_bias_backward(const Tensor& logs, const Tensor& dout, const Tensor& dlogs) {
  const int64_t clip = dout.rows() / 2;
  with_real(real(), [&]<class Real>(Real) {
    for (int64_t head = 0; head < dout.columns(); ++head) {
      const double r1 = std::exp(static_cast<double>(logs.row<Real>(0)[head]));
      const double r2 = std::exp(static_cast<double>(logs.row<Real>(1)[head]));
      double da = 0, db = 0;
      for (int64_t row = 0; row < dout.rows(); ++row) {
        const double reach = r2 * static_cast<double>(std::abs(row - clip)), d = dout.row<Real>(row)[head];
        da -= d * r1 * std::log1p(reach);
        db -= d * r1 * reach / (1 + reach);
      }
      add_to(dlogs.row<Real>(0)[head], da);
      add_to(dlogs.row<Real>(1)[head], db);
    }
  });
}

}  // namespace roformer
