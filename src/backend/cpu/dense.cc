// Linear layers: tiles of matrix products with bias and activation applied while a tile is in cache.
#include <algorithm>

#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/gemm.h"
#include "backend/cpu/rows.h"

namespace roformer {

namespace {

// A grid of tiles over a [rows, columns] result. Full rows where there are rows enough to keep many cores busy;
// otherwise columns are split, too. Depends on the shape only.
struct Tiles {
  int64_t rows, columns, tile_rows, tile_columns;

  Tiles(int64_t r, int64_t c, int64_t block_rows) : rows(r), columns(c) {
    constexpr int64_t kEnough = 16, kNarrowest = 64;
    tile_rows = block_rows;
    const int64_t wanted = (kEnough + down() - 1) / std::max<int64_t>(down(), 1);
    tile_columns = std::max(kNarrowest, (columns + wanted - 1) / wanted);
    tile_columns = (tile_columns + kNarrowest - 1) / kNarrowest * kNarrowest;
  }

  int64_t down() const { return (rows + tile_rows - 1) / tile_rows; }
  int64_t across() const { return (columns + tile_columns - 1) / tile_columns; }

  // body(row, rows, column, columns) for every tile.
  template <class Body>
  void run(ThreadPool& pool, Body&& body) const {
    pool.run(down() * across(), [&](int64_t task) {
      const int64_t r = task / across() * tile_rows, c = task % across() * tile_columns;
      body(r, std::min(tile_rows, rows - r), c, std::min(tile_columns, columns - c));
    });
  }
};

// A weight as the second factor of x·Wᵀ. With many rows of x it is transposed once for all tiles: oneDNN would do so
// anew, and more slowly, for each.
class Weight {
 public:
  Weight(CpuBackend& backend, const Tensor& weight, int64_t x_rows) : original_(weight) {
    constexpr int64_t kManyRows = 128, kStrip = 64, kLine = 16;  // a cache line
    if (x_rows < kManyRows) return;
    // Rows an odd number of cache lines apart do not compete for the same places in the cache.
    const int64_t outputs = weight.dim(0), stride = ((outputs + kLine - 1) / kLine | 1) * kLine;
    transposed_ = backend.empty({weight.dim(1), stride});
    for_chunks(backend.pool(), outputs, kStrip, [&](int64_t begin, int64_t end) {
      rows::transpose(weight.row<float>(begin), weight.row_stride(), end - begin, weight.dim(1),
                      transposed_.data<float>() + begin, transposed_.row_stride());
    });
  }

  // What gives columns `column` … of the product.
  Matrix columns_from(int64_t column) const {
    if (transposed_.defined()) return {transposed_.data<float>() + column, transposed_.row_stride(), false};
    return {original_.row<float>(column), original_.row_stride(), true};
  }

 private:
  const Tensor& original_;
  Tensor transposed_;
};

}  // namespace

void CpuBackend::linear(const Tensor& x, const Tensor& weight, const Tensor& bias, Activation activation,
                        const Tensor& out, const Tensor& before) {
  const int64_t inputs = weight.dim(1);
  const Tensor& product = before.defined() ? before : out;
  const float* bias_row = bias.defined() ? bias.data<float>() : nullptr;
  const Weight factor(*this, weight, x.rows());
  Tiles(x.rows(), weight.dim(0), 128).run(pool_, [&](int64_t r, int64_t rows, int64_t c, int64_t columns) {
    gemm(rows, columns, inputs, 1, {x.row<float>(r), x.row_stride(), false}, factor.columns_from(c), 0,
         product.row<float>(r) + c, product.row_stride());
    if (activation == Activation::none && bias_row == nullptr && !before.defined()) return;
    for (int64_t i = r; i < r + rows; ++i) {
      rows::bias_activation(activation, bias_row == nullptr ? nullptr : bias_row + c, product.row<float>(i) + c,
                            out.row<float>(i) + c, columns);
    }
  });
}

void CpuBackend::linear_backward_input(const Tensor& dout, const Tensor& weight, const Tensor& dx, bool accumulate) {
  Tiles(dout.rows(), weight.dim(1), 128).run(pool_, [&](int64_t r, int64_t rows, int64_t c, int64_t columns) {
    gemm(rows, columns, weight.dim(0), 1, {dout.row<float>(r), dout.row_stride(), false},
         {weight.data<float>() + c, weight.row_stride(), false}, accumulate ? 1.0f : 0.0f, dx.row<float>(r) + c,
         dx.row_stride());
  });
}

void CpuBackend::linear_backward_weight(const Tensor& dout, const Tensor& x, const Tensor& dweight,
                                        const Tensor& dbias) {
  const int64_t tokens = dout.rows();
  if (tokens == 0) return;
  Tiles(dweight.dim(0), dweight.dim(1), 128).run(pool_, [&](int64_t r, int64_t rows, int64_t c, int64_t columns) {
    gemm(rows, columns, tokens, 1, {dout.data<float>() + r, dout.row_stride(), true},
         {x.data<float>() + c, x.row_stride(), false}, 1, dweight.row<float>(r) + c, dweight.row_stride());
  });
  if (!dbias.defined()) return;
  constexpr int64_t kColumns = 128, kRows = 256;  // chunks of rows are summed first, for precision at many tokens
  for_chunks(pool_, dout.columns(), kColumns, [&](int64_t begin, int64_t end) {
    float chunk[kColumns];
    for (int64_t t = 0; t < tokens; t += kRows) {
      std::fill_n(chunk, kColumns, 0.0f);
      for (int64_t i = t; i < std::min(tokens, t + kRows); ++i)
        rows::add(dout.row<float>(i) + begin, chunk, end - begin);
      rows::add(chunk, dbias.data<float>() + begin, end - begin);
    }
  });
}

}  // namespace roformer
