#include "backend/cpu/attention/factors.h"

#include "backend/cpu/attention/pairs.h"
#include "backend/cpu/gemm/tile.h"
#include "backend/cpu/gemm/tile_rows.h"

namespace roformer {

using tiles::kPanel;

namespace {

constexpr int64_t kRowsAtOnce = 64;

}  // namespace

Float32Factors::Float32Factors(const FactorSizes& sizes)
    : sizes_(sizes),
      query_stride_(tiles::padded_columns(sizes.dim)),
      queries_(sizes.queries * query_stride_),
      rows_(sizes.rotated ? sizes.keys * std::max(sizes.dim, sizes.value_dim) : 0),
      keys_(sizes.keys * sizes.dim),
      values_(sizes.keys * tiles::padded_columns(sizes.value_dim)),
      scores_(sizes.tile_queries * sizes.keys) {}

void Float32Factors::load_queries(const tiles::RowSource& x, int64_t rows, float factor) {
  tiles::load_rows(x, rows, factor, queries_.data(), query_stride_);
}

void Float32Factors::load_keys(const tiles::RowSource& x, int64_t rows) {
  loaded_ = rows;
  if (x.angles == nullptr) return tiles::pack_transposed(x.data, x.stride, rows, x.dim, keys_.data());
  tiles::load_rows(x, rows, 1, rows_.data(), x.dim);
  tiles::pack_transposed(rows_.data(), x.dim, rows, x.dim, keys_.data());
}

void Float32Factors::load_values(const tiles::RowSource& x, int64_t rows) {
  if (x.angles == nullptr) return tiles::pack(x.data, x.stride, rows, x.dim, values_.data());
  tiles::load_rows(x, rows, 1, rows_.data(), x.dim);
  tiles::pack(rows_.data(), x.dim, rows, x.dim, values_.data());
}

tiles::Scores Float32Factors::score(int64_t first, int64_t rows, int64_t key, int64_t keys) {
  tiles::multiply(rows, keys, sizes_.dim, {queries_.data() + first * query_stride_, query_stride_},
                  {.data = keys_.data() + key * sizes_.dim, .panel_stride = sizes_.dim * kPanel}, nullptr,
                  scores_.data(), sizes_.keys);
  return {scores_.data(), sizes_.keys, kPanel};
}

void Float32Factors::weigh_values(int64_t rows, int64_t key, int64_t keys, const float* factors, float* c,
                                  int64_t c_stride) {
  tiles::multiply(rows, sizes_.value_dim, keys, {scores_.data(), sizes_.keys},
                  {.data = values_.data() + key * kPanel, .panel_stride = loaded_ * kPanel}, factors, c, c_stride);
}

Bfloat16Factors::Bfloat16Factors(const FactorSizes& sizes)
    : sizes_(sizes),
      depth_(whole_pairs(sizes.dim)),
      queries_(sizes.queries * depth_ / 2),
      rows_(std::max(kRowsAtOnce, sizes.keys) * std::max(sizes.dim, sizes.value_dim)),
      rounded_(sizes.keys * depth_ / 2),
      keys_(sizes.keys * depth_ / 2),
      values_(sizes.keys * tiles::padded_columns(sizes.value_dim) / 2),
      scores_(sizes.tile_queries * sizes.keys),
      weights_(sizes.tile_queries * sizes.keys / 2) {}

void Bfloat16Factors::load_queries(const tiles::RowSource& x, int64_t rows, float factor) {
  for (int64_t begin = 0; begin < rows; begin += kRowsAtOnce) {
    const int64_t count = std::min(kRowsAtOnce, rows - begin);
    tiles::load_rows(x.from(begin), count, factor, rows_.data(), x.dim);
    round_rows(rows_.data(), count, x.dim, halves(queries_) + begin * depth_);
  }
}

void Bfloat16Factors::load_keys(const tiles::RowSource& x, int64_t rows) {
  loaded_ = rows;
  tiles::load_rows(x, rows, 1, rows_.data(), x.dim);
  round_rows(rows_.data(), rows, x.dim, halves(rounded_));
  pack_pairs_transposed(halves(rounded_), rows, x.dim, keys_.data());
}

void Bfloat16Factors::load_values(const tiles::RowSource& x, int64_t rows) {
  tiles::load_rows(x, rows, 1, rows_.data(), x.dim);
  pack_pairs(rows_.data(), rows, x.dim, halves(values_));
}

tiles::Scores Bfloat16Factors::score(int64_t first, int64_t rows, int64_t key, int64_t keys) {
  return multiply_pairs(halves(queries_) + first * depth_, rows, sizes_.dim, halves(keys_) + key * depth_, keys,
                        scores_.data(), sizes_.tile_queries);
}

void Bfloat16Factors::weigh_values(int64_t rows, int64_t key, int64_t keys, const float* factors, float* c,
                                   int64_t c_stride) {
  // The padding key of an odd count has weight 0.
  const int64_t depth = whole_pairs(keys);
  tiles::round_weights({scores_.data(), kPanel, sizes_.tile_queries * kPanel}, rows, depth, halves(weights_),
                       sizes_.keys);
  const int64_t tile_rows = tile::rows_of(Precision::bfloat16);
  float sums[tile::kMaxTileRows * kPanel];
  for (int64_t j = 0; j < sizes_.value_dim; j += kPanel) {
    for (int64_t i = 0; i < rows; i += tile_rows) {
      const int64_t count = std::min(tile_rows, rows - i);
      tile::multiply(halves(weights_) + i * sizes_.keys, sizes_.keys, count, depth,
                     halves(values_) + j * whole_pairs(loaded_) + key * kPanel, sums);
      tiles::add_tile(sums, count, std::min(kPanel, sizes_.value_dim - j), factors == nullptr ? nullptr : factors + i,
                      c + i * c_stride + j, c_stride);
    }
  }
}

}  // namespace roformer
