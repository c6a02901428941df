// Embedding rows in and out, pooling, and the softmax cross-entropy over the vocabulary.
#include <algorithm>
#include <cmath>
#include <vector>

#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/gemm.h"
#include "backend/cpu/rows.h"

namespace roformer {

namespace {

constexpr int64_t kColumns = 64;  // tasks that must add rows in order are split by columns

}  // namespace

void CpuBackend::embedding(const Tensor& table, std::span<const int32_t> ids, const Tensor& out, bool accumulate) {
  const int64_t columns = table.columns();
  for_chunks(pool_, static_cast<int64_t>(ids.size()), 64, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      const float* row = table.row<float>(ids[static_cast<size_t>(t)]);
      if (accumulate) {
        rows::add(row, out.row<float>(t), columns);
      } else {
        std::copy_n(row, columns, out.row<float>(t));
      }
    }
  });
}

void CpuBackend::embedding_backward(const Tensor& dout, std::span<const int32_t> ids, const Tensor& dtable) {
  for_chunks(pool_, dtable.columns(), kColumns, [&](int64_t begin, int64_t end) {
    for (size_t t = 0; t < ids.size(); ++t) {
      rows::add(dout.row<float>(static_cast<int64_t>(t)) + begin, dtable.row<float>(ids[t]) + begin, end - begin);
    }
  });
}

LossSum CpuBackend::cross_entropy(const Tensor& hidden, const Tensor& weight, const Tensor& bias,
                                  std::span<const int32_t> labels, double gradient_scale, const Tensor& dhidden,
                                  const Tensor& dweight, const Tensor& dbias) {
  constexpr int64_t kChunk = 256, kTile = 512, kRows = 64;
  const int64_t count = static_cast<int64_t>(labels.size()), vocabulary = weight.dim(0), width = weight.dim(1);
  const bool backward = dhidden.defined();
  if (count == 0) return {};
  const Tensor logits = empty({std::min(count, kChunk), vocabulary});
  LossSum total;
  for (int64_t first = 0; first < count; first += kChunk) {
    const int64_t chunk = std::min(kChunk, count - first);
    for_chunks(pool_, vocabulary, kTile, [&](int64_t begin, int64_t end) {
      gemm(chunk, end - begin, width, 1, {hidden.row<float>(first), hidden.row_stride(), false},
           {weight.row<float>(begin), weight.row_stride(), true}, 0, logits.data<float>() + begin, vocabulary);
      for (int64_t i = 0; bias.defined() && i < chunk; ++i) {
        rows::add(bias.data<float>() + begin, logits.row<float>(i) + begin, end - begin);
      }
    });
    std::vector<double> losses(static_cast<size_t>(chunk));
    std::vector<uint8_t> correct(static_cast<size_t>(chunk));
    pool_.run(chunk, [&](int64_t i) {
      float* row = logits.row<float>(i);
      const int64_t label = labels[static_cast<size_t>(first + i)];
      const float largest = rows::maximum(row, vocabulary), label_logit = row[label];
      correct[static_cast<size_t>(i)] = rows::argmax(row, vocabulary, largest) == label;
      double sum = 0;
      for (int64_t c = 0; c < vocabulary; c += kTile) {
        sum += rows::exp_sum(row + c, largest, std::min(kTile, vocabulary - c));
      }
      losses[static_cast<size_t>(i)] = std::log(sum) + largest - label_logit;
      if (!backward) return;
      rows::scale(row, static_cast<float>(gradient_scale / sum), vocabulary);  // softmax − one-hot, scaled
      row[label] -= static_cast<float>(gradient_scale);
    });
    for (int64_t i = 0; i < chunk; ++i) {
      total.sum += losses[static_cast<size_t>(i)];
      total.correct += correct[static_cast<size_t>(i)];
    }
    if (!backward) continue;
    const int64_t row_tiles = (chunk + kRows - 1) / kRows, column_tiles = (width + kColumns - 1) / kColumns;
    pool_.run(row_tiles * column_tiles, [&](int64_t task) {
      const int64_t r = task / column_tiles * kRows, c = task % column_tiles * kColumns;
      gemm(std::min(kRows, chunk - r), std::min(kColumns, width - c), vocabulary, 1,
           {logits.row<float>(r), vocabulary, false}, {weight.data<float>() + c, weight.row_stride(), false}, 0,
           dhidden.row<float>(first + r) + c, dhidden.row_stride());
    });
    for_chunks(pool_, vocabulary, kTile, [&](int64_t begin, int64_t end) {
      if (dweight.defined()) {
        gemm(end - begin, width, chunk, 1, {logits.data<float>() + begin, vocabulary, true},
             {hidden.row<float>(first), hidden.row_stride(), false}, 1, dweight.row<float>(begin),
             dweight.row_stride());
      }
      for (int64_t i = 0; dbias.defined() && i < chunk; ++i) {
        rows::add(logits.row<float>(i) + begin, dbias.data<float>() + begin, end - begin);
      }
    });
  }
  return total;
}

void CpuBackend::pool(Pooling pooling, const Tensor& x, std::span<const int32_t> offsets, const Tensor& out,
                      std::vector<int32_t>& argmax) {
  const int64_t width = x.columns(), sequences = static_cast<int64_t>(offsets.size()) - 1;
  argmax.assign(pooling == Pooling::max ? static_cast<size_t>(sequences * width) : 0, -1);
  pool_.run(sequences, [&](int64_t s) {
    const int64_t begin = offsets[static_cast<size_t>(s)], end = offsets[static_cast<size_t>(s) + 1];
    float* row = out.row<float>(s);
    std::fill_n(row, width, 0.0f);
    if (begin == end) return;
    if (pooling == Pooling::mean) {
      for (int64_t t = begin; t < end; ++t) rows::add(x.row<float>(t), row, width);
      rows::scale(row, 1.0f / static_cast<float>(end - begin), width);
      return;
    }
    std::copy_n(x.row<float>(begin), width, row);
    if (pooling == Pooling::cls) return;
    int32_t* best = argmax.data() + s * width;
    std::fill_n(best, width, static_cast<int32_t>(begin));
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
                               std::span<const int32_t> argmax, const Tensor& dx) {
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
        for (int64_t c = 0; c < width; ++c) dx.row<float>(argmax[static_cast<size_t>(s * width + c)])[c] = row[c];
        break;
    }
  });
}

}  // namespace roformer
