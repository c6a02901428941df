// Embedding lookup and its backward, pooling, and the softmax cross-entropy over the vocabulary.
#include <algorithm>
#include <cmath>
#include <vector>

#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/gemm/product.h"
#include "backend/cpu/rows/rows.h"

namespace roformer {

namespace {

constexpr int64_t kColumns = 64;  // tasks that add rows in order are split by columns

// y = factor · x, added if `accumulate`. Few tables have a factor.
void add_scaled(const float* x, float factor, bool accumulate, float* y, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] = (accumulate ? y[i] : 0) + factor * x[i];
}

// A row of a table, widened into `buffer` if necessary.
const float* float_row(const Tensor& table, int64_t row, float* buffer) {
  if (table.dtype() == DType::bfloat16) {
    tile::widen(table.row<BFloat16>(row), buffer, table.columns());
  } else if (table.dtype() == DType::float16) {
    tile::widen(table.row<Float16>(row), buffer, table.columns());
  } else {
    return table.row<float>(row);
  }
  return buffer;
}

}  // namespace

void CpuBackend::embedding(const Tensor& table, std::span<const int32_t> ids, double factor, const Tensor& out,
                           bool accumulate) {
  const ScopedTimer timed(profile(), "embedding", 0, 2 * static_cast<double>(out.bytes()));
  const int64_t columns = table.columns();
  for_chunks(pool_, static_cast<int64_t>(ids.size()), 64, [&](int64_t begin, int64_t end) {
    thread_local std::vector<float> buffer;
    buffer.resize(static_cast<size_t>(columns));
    for (int64_t t = begin; t < end; ++t) {
      const float* row = float_row(table, ids[static_cast<size_t>(t)], buffer.data());
      if (factor != 1) {
        add_scaled(row, static_cast<float>(factor), accumulate, out.row<float>(t), columns);
      } else if (accumulate) {
        rows::add(row, out.row<float>(t), columns);
      } else {
        std::copy_n(row, columns, out.row<float>(t));
      }
    }
  });
}

void CpuBackend::embedding_backward(const Tensor& dout, std::span<const int32_t> ids, double factor,
                                    const Tensor& dtable) {
  const ScopedTimer timed(profile(), "embedding, backward", 0, 3 * static_cast<double>(dout.bytes()));
  for_chunks(pool_, dtable.columns(), kColumns, [&](int64_t begin, int64_t end) {
    for (size_t t = 0; t < ids.size(); ++t) {
      const float* const from = dout.row<float>(static_cast<int64_t>(t)) + begin;
      float* const to = dtable.row<float>(ids[t]) + begin;
      if (factor == 1) {
        rows::add(from, to, end - begin);
      } else {
        add_scaled(from, static_cast<float>(factor), true, to, end - begin);
      }
    }
  });
}

namespace {

// Returns the loss of a row of logits; if `backward`, replaces it by (softmax − target) · gradient scale.
LossSum uncapped_softmax_row(float* row, int64_t vocabulary, int64_t label, const LabelSpec& spec, bool backward) {
  constexpr int64_t kTile = 512;  // summed in float32; sums of tiles in double
  const float largest = rows::maximum(row, vocabulary), label_logit = row[label];
  const bool correct = rows::argmax(row, vocabulary, largest) == label;
  double sum = 0, logits = 0;
  for (int64_t c = 0; c < vocabulary; c += kTile) {
    const int64_t count = std::min(kTile, vocabulary - c);
    if (spec.smoothing > 0) logits += rows::total(row + c, count);
    sum += rows::exp_sum(row + c, largest, count);
  }
  const double share = spec.smoothing / static_cast<double>(vocabulary);
  if (backward) {
    const auto factor = static_cast<float>(spec.gradient_scale / sum);
    if (spec.smoothing > 0) {
      rows::scale_and_shift(row, factor, static_cast<float>(-spec.gradient_scale * share), vocabulary);
    } else {
      rows::scale(row, factor, vocabulary);
    }
    row[label] -= static_cast<float>(spec.gradient_scale * (1 - spec.smoothing));
  }
  const double wanted = (1 - spec.smoothing) * label_logit + share * logits;
  return {std::log(sum) + largest - wanted, correct ? 1 : 0};
}

// The same of logits that are capped first.
LossSum softmax_row(float* row, int64_t vocabulary, int64_t label, const LabelSpec& spec, bool backward) {
  if (spec.logit_cap == 0) return uncapped_softmax_row(row, vocabulary, label, spec, backward);
  thread_local std::vector<float> scaled;
  const auto cap = static_cast<float>(spec.logit_cap);
  rows::scale(row, 1 / cap, vocabulary);
  scaled.assign(row, row + vocabulary);
  rows::bias_activation(Activation::tanh, nullptr, scaled.data(), row, vocabulary);
  rows::scale(row, cap, vocabulary);
  const LossSum loss = uncapped_softmax_row(row, vocabulary, label, spec, backward);
  if (backward) rows::activation_backward(Activation::tanh, scaled.data(), row, row, nullptr, vocabulary);
  return loss;
}

// ln Σ exp of a row, which stays as it is.
double log_sum_of_row(const float* row, int64_t columns) {
  constexpr int64_t kTile = 512;  // as in softmax_row
  float tile[kTile];
  const float largest = rows::maximum(row, columns);
  double sum = 0;
  for (int64_t c = 0; c < columns; c += kTile) {
    const int64_t count = std::min(kTile, columns - c);
    std::copy_n(row + c, count, tile);
    sum += rows::exp_sum(tile, largest, count);
  }
  return std::log(sum) + largest;
}

Matrix matrix(const float* data, const Tensor& x, bool transposed = false) {
  return {data, x.row_stride(), transposed};
}

}  // namespace

std::vector<double> CpuBackend::log_sum_exp(const Tensor& x) {
  std::vector<double> sums(static_cast<size_t>(x.rows()));
  pool_.run(x.rows(), [&](int64_t i) { sums[static_cast<size_t>(i)] = log_sum_of_row(x.row<float>(i), x.columns()); });
  return sums;
}

Loss CpuBackend::cross_entropy(const Tensor& hidden, const WeightView& weight, const Tensor& bias,
                               const LabelSpec& spec, const Tensor& dhidden, const Tensor& dweight,
                               const Tensor& dbias) {
  const std::span<const int32_t> labels = spec.labels;
  constexpr int64_t kChunk = 256, kWords = 4096;
  const int64_t count = static_cast<int64_t>(labels.size()), vocabulary = weight.outputs(), width = weight.inputs();
  const bool backward = dhidden.defined();
  if (count == 0) return Loss(*this, LossSum());
  const double product = 2.0 * static_cast<double>(count) * static_cast<double>(vocabulary * width);
  const ScopedTimer timed(profile(), "vocabulary and loss", product * (backward ? dweight.defined() ? 3 : 2 : 1), 0);
  if (backward) fill(dhidden, 0);
  const Tensor logits = empty({std::min(count, kChunk), vocabulary});
  const Scratch<LossSum> losses(*memory_, std::min(count, kChunk));
  LossSum total;
  for (int64_t first = 0; first < count; first += kChunk) {
    const int64_t chunk = std::min(kChunk, count - first);
    const Matrix in = matrix(hidden.row<float>(first), hidden);
    multiply_weight(hidden.row_range(first, chunk), weight,
                    {.bias = bias.defined() ? bias.data<float>() : nullptr,
                     .out = logits.data<float>(),
                     .out_stride = logits.row_stride()});
    pool_.run(chunk, [&](int64_t i) {
      losses[i] = softmax_row(logits.row<float>(i), vocabulary, labels[static_cast<size_t>(first + i)], spec, backward);
    });
    for (int64_t i = 0; i < chunk; ++i) {
      total.sum += losses[i].sum;
      total.correct += losses[i].correct;
    }
    // Both products of a block of words while its logits are in cache.
    for (int64_t word = 0; backward && word < vocabulary; word += kWords) {
      const int64_t words = std::min(kWords, vocabulary - word);
      float* dlogits = logits.data<float>() + word;
      Matrix factor = matrix(weight.rows.row<float>(word), weight.rows);
      factor.rounded = number_types_.weights == Precision::bfloat16 && number_types_.gradients == Precision::float32;
      multiply(*this, number_types_.gradients, chunk, width, words, matrix(dlogits, logits), factor,
               {.accumulate = true, .out = dhidden.row<float>(first), .out_stride = dhidden.row_stride()});
      if (dweight.defined()) {
        multiply(*this, number_types_.gradients, words, width, chunk, matrix(dlogits, logits, true), in,
                 {.accumulate = true, .out = dweight.row<float>(word), .out_stride = dweight.row_stride()});
      }
      if (!dbias.defined()) continue;
      for_chunks(pool_, words, kColumns, [&](int64_t begin, int64_t end) {
        for (int64_t i = 0; i < chunk; ++i) {
          rows::add(logits.row<float>(i) + word + begin, dbias.data<float>() + word + begin, end - begin);
        }
      });
    }
  }
  return Loss(*this, total);
}

void CpuBackend::pool(Pooling pooling, const Tensor& x, std::span<const int32_t> offsets, const Tensor& out,
                      const Tensor& argmax) {
  const int64_t width = x.columns();
  pool_.run(static_cast<int64_t>(offsets.size()) - 1, [&](int64_t s) {
    const int64_t begin = offsets[static_cast<size_t>(s)], end = offsets[static_cast<size_t>(s) + 1];
    float* row = out.row<float>(s);
    std::fill_n(row, width, 0.0f);
    int32_t* const best = pooling == Pooling::max ? argmax.row<int32_t>(s) : nullptr;
    if (best != nullptr) std::fill_n(best, width, begin < end ? static_cast<int32_t>(begin) : -1);
    if (begin == end) return;
    if (pooling == Pooling::mean) {
      for (int64_t t = begin; t < end; ++t) rows::add(x.row<float>(t), row, width);
      rows::scale(row, 1.0f / static_cast<float>(end - begin), width);
      return;
    }
    std::copy_n(x.row<float>(begin), width, row);
    if (pooling == Pooling::cls) return;
    for (int64_t t = begin + 1; t < end; ++t) {
      for (int64_t c = 0; c < width; ++c) {
        if (x.row<float>(t)[c] > row[c]) {
          row[c] = x.row<float>(t)[c];
          best[c] = static_cast<int32_t>(t);
        }
      }
    }
  });
}

void CpuBackend::pool_backward(Pooling pooling, const Tensor& dout, std::span<const int32_t> offsets,
                               const Tensor& argmax, const Tensor& dx) {
  const int64_t width = dx.columns();
  fill(dx, 0);
  pool_.run(static_cast<int64_t>(offsets.size()) - 1, [&](int64_t s) {
    const int64_t begin = offsets[static_cast<size_t>(s)], end = offsets[static_cast<size_t>(s) + 1];
    if (begin == end) return;
    const float* row = dout.row<float>(s);
    switch (pooling) {
      case Pooling::cls: std::copy_n(row, width, dx.row<float>(begin)); break;
      case Pooling::mean:
        for (int64_t t = begin; t < end; ++t) {
          std::copy_n(row, width, dx.row<float>(t));
          rows::scale(dx.row<float>(t), 1.0f / static_cast<float>(end - begin), width);
        }
        break;
      case Pooling::max:
        for (int64_t c = 0; c < width; ++c) dx.row<float>(argmax.row<int32_t>(s)[c])[c] = row[c];
        break;
    }
  });
}

}  // namespace roformer
