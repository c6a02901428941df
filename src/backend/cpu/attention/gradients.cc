#include "backend/cpu/attention/gradients.h"

#include <array>

#include "backend/cpu/attention/pairs.h"
#include "backend/cpu/gemm/tile.h"
#include "backend/cpu/gemm/tile_rows.h"

namespace roformer {

using tiles::kPanel;

Float32Gradients::Float32Gradients(const GradientSizes& sizes)
    : sizes_(sizes),
      dim_stride_(tiles::padded_columns(sizes.dim)),
      value_stride_(tiles::padded_columns(sizes.value_dim)),
      queries_(kQueries * dim_stride_),
      douts_(kQueries * value_stride_),
      products_(kQueries * dim_stride_),
      keys_across_(sizes.keys * sizes.dim),
      values_across_(sizes.keys * sizes.value_dim),
      keys_(sizes.keys * dim_stride_),
      dkeys_(sizes.keys * dim_stride_),
      dvalues_(sizes.keys * value_stride_),
      ones_(sizes.keys),
      weights_(kQueries * sizes.keys),
      dweights_(kQueries * sizes.keys) {
  std::fill_n(ones_.data(), sizes.keys, 1.0f);
}

void Float32Gradients::load_keys(const tiles::RowSource& keys, const tiles::RowSource& values, int64_t rows) {
  loaded_ = rows;
  tiles::pack_transposed(keys.data, keys.stride, rows, sizes_.dim, keys_across_.data());
  tiles::pack_transposed(values.data, values.stride, rows, sizes_.value_dim, values_across_.data());
  tiles::pack(keys.data, keys.stride, rows, sizes_.dim, keys_.data());
  std::fill_n(dkeys_.data(), rows * dim_stride_, 0.0f);
  std::fill_n(dvalues_.data(), rows * value_stride_, 0.0f);
}

void Float32Gradients::load_queries(const tiles::RowSource& queries, float factor, const tiles::RowSource& douts,
                                    int64_t rows) {
  tiles::load_rows(queries, rows, factor, queries_.data(), dim_stride_);
  tiles::load_rows(douts, rows, 1, douts_.data(), value_stride_);
}

tiles::Scores Float32Gradients::score(int64_t rows, int64_t key, int64_t keys) {
  tiles::multiply(rows, keys, sizes_.dim, {queries_.data(), dim_stride_},
                  {.data = keys_across_.data() + key * sizes_.dim, .panel_stride = sizes_.dim * kPanel}, nullptr,
                  weights_.data(), sizes_.keys);
  return {weights_.data(), sizes_.keys, kPanel};
}

tiles::Scores Float32Gradients::dweigh(int64_t rows, int64_t key, int64_t keys) {
  tiles::multiply(rows, keys, sizes_.value_dim, {douts_.data(), value_stride_},
                  {.data = values_across_.data() + key * sizes_.value_dim, .panel_stride = sizes_.value_dim * kPanel},
                  nullptr, dweights_.data(), sizes_.keys);
  return {dweights_.data(), sizes_.keys, kPanel};
}

void Float32Gradients::add_values(const tiles::Scores& weights, int64_t rows, int64_t key, int64_t keys) {
  tiles::multiply(keys, sizes_.value_dim, rows, {weights.data, weights.stride, true},
                  {douts_.data(), value_stride_, kPanel}, ones_.data(), dvalues_.data() + key * value_stride_,
                  value_stride_);
}

void Float32Gradients::add_keys(const tiles::Scores& dscores, int64_t rows, int64_t key, int64_t keys) {
  tiles::multiply(keys, sizes_.dim, rows, {dscores.data, dscores.stride, true}, {queries_.data(), dim_stride_, kPanel},
                  ones_.data(), dkeys_.data() + key * dim_stride_, dim_stride_);
}

const float* Float32Gradients::query_products(const tiles::Scores& dscores, int64_t rows, int64_t key, int64_t keys) {
  tiles::multiply(rows, sizes_.dim, keys, {dscores.data, dscores.stride},
                  {.data = keys_.data() + key * kPanel, .panel_stride = loaded_ * kPanel}, nullptr, products_.data(),
                  dim_stride_);
  return products_.data();
}

void Float32Gradients::store(float factor, float* dkeys, int64_t dkeys_stride, float* dvalues, int64_t dvalues_stride) {
  tiles::store_rows(dkeys_.data(), dim_stride_, loaded_, sizes_.dim, factor, dkeys, dkeys_stride);
  tiles::store_rows(dvalues_.data(), value_stride_, loaded_, sizes_.value_dim, 1, dvalues, dvalues_stride);
}

Bfloat16Gradients::Bfloat16Gradients(const GradientSizes& sizes)
    : sizes_(sizes),
      dim_stride_(tiles::padded_columns(sizes.dim)),
      queries_(kQueries * dim_stride_ / 2),
      queries_across_(kQueries * dim_stride_ / 2),
      douts_(kQueries * tiles::padded_columns(sizes.value_dim) / 2),
      douts_across_(kQueries * tiles::padded_columns(sizes.value_dim) / 2),
      keys_across_(sizes.keys * dim_stride_ / 2),
      values_across_(sizes.keys * tiles::padded_columns(sizes.value_dim) / 2),
      keys_(sizes.keys * dim_stride_ / 2),
      dkeys_(sizes.keys * dim_stride_),
      dvalues_(sizes.keys * tiles::padded_columns(sizes.value_dim)),
      weights_(kQueries * sizes.keys),
      dweights_(kQueries * sizes.keys),
      pairs_(kQueries * sizes.keys / 2),
      products_(kQueries * dim_stride_),
      rows_(std::max(kQueries, sizes.keys) * std::max(sizes.dim, sizes.value_dim)),
      more_rows_(std::max(kQueries, sizes.keys) * std::max(sizes.dim, sizes.value_dim)) {}

void Bfloat16Gradients::load_keys(const tiles::RowSource& keys, const tiles::RowSource& values, int64_t rows) {
  loaded_ = rows;
  uint16_t* const rounded = halves(more_rows_);
  tiles::load_rows(keys, rows, 1, rows_.data(), sizes_.dim);
  round_rows(rows_.data(), rows, sizes_.dim, rounded);
  pack_pairs_transposed(rounded, rows, sizes_.dim, keys_across_.data());
  pack_pairs(rows_.data(), rows, sizes_.dim, halves(keys_));
  tiles::load_rows(values, rows, 1, rows_.data(), sizes_.value_dim);
  round_rows(rows_.data(), rows, sizes_.value_dim, rounded);
  pack_pairs_transposed(rounded, rows, sizes_.value_dim, values_across_.data());
  std::fill_n(dkeys_.data(), sizes_.dim * sizes_.keys, 0.0f);
  std::fill_n(dvalues_.data(), sizes_.value_dim * sizes_.keys, 0.0f);
}

// Rounds rows to whole pairs, and transposed to rows of kQueries.
void Bfloat16Gradients::load_side(const tiles::RowSource& x, float factor, int64_t rows, uint16_t* rounded,
                                  uint16_t* across) {
  tiles::load_rows(x, rows, factor, rows_.data(), x.dim);
  round_rows(rows_.data(), rows, x.dim, rounded);
  rows::transpose(rows_.data(), x.dim, rows, x.dim, more_rows_.data(), kQueries);
  for (int64_t c = 0; c < x.dim; ++c) {
    uint16_t* const to = across + c * kQueries;
    tile::to_bfloat16(more_rows_.data() + c * kQueries, to, rows);
    if (rows < kQueries) to[rows] = 0;
  }
}

void Bfloat16Gradients::load_queries(const tiles::RowSource& queries, float factor, const tiles::RowSource& douts,
                                     int64_t rows) {
  load_side(queries, factor, rows, halves(queries_), halves(queries_across_));
  load_side(douts, 1, rows, halves(douts_), halves(douts_across_));
}

tiles::Scores Bfloat16Gradients::score(int64_t rows, int64_t key, int64_t keys) {
  return multiply_pairs(halves(queries_), rows, sizes_.dim, halves(keys_across_) + key * whole_pairs(sizes_.dim), keys,
                        weights_.data(), kQueries);
}

tiles::Scores Bfloat16Gradients::dweigh(int64_t rows, int64_t key, int64_t keys) {
  return multiply_pairs(halves(douts_), rows, sizes_.value_dim,
                        halves(values_across_) + key * whole_pairs(sizes_.value_dim), keys, dweights_.data(), kQueries);
}

// sums [dim, keys] += across · weights.
void Bfloat16Gradients::add_across(const tiles::Scores& weights, int64_t rows, int64_t keys, const uint16_t* across,
                                   int64_t dim, float* sums) {
  static constexpr auto kOnes = [] {
    std::array<float, tile::kMaxTileRows> ones{};
    for (float& one : ones) one = 1;
    return ones;
  }();
  const int64_t tile_rows = tile::rows_of(Precision::bfloat16);
  float tile_sums[tile::kMaxTileRows * kPanel];
  for (int64_t j = 0; j < keys; j += kPanel) {
    const float* const panel = weights.data + j / kPanel * weights.panel_stride;
    uint16_t* const pairs = halves(pairs_);
    for (int64_t r = 0; r < rows; r += 2) {
      const float* const first = panel + r * weights.stride;
      tile::pair_bfloat16(first, r + 1 < rows ? first + weights.stride : nullptr, pairs + r * kPanel, kPanel);
    }
    for (int64_t c = 0; c < dim; c += tile_rows) {
      const int64_t count = std::min(tile_rows, dim - c);
      tile::multiply(across + c * kQueries, kQueries, count, whole_pairs(rows), pairs, tile_sums);
      tiles::add_tile(tile_sums, count, kPanel, kOnes.data(), sums + c * sizes_.keys + j, sizes_.keys);
    }
  }
}

void Bfloat16Gradients::add_values(const tiles::Scores& weights, int64_t rows, int64_t key, int64_t keys) {
  add_across(weights, rows, keys, halves(douts_across_), sizes_.value_dim, dvalues_.data() + key);
}

void Bfloat16Gradients::add_keys(const tiles::Scores& dscores, int64_t rows, int64_t key, int64_t keys) {
  add_across(dscores, rows, keys, halves(queries_across_), sizes_.dim, dkeys_.data() + key);
}

const float* Bfloat16Gradients::query_products(const tiles::Scores& dscores, int64_t rows, int64_t key, int64_t keys) {
  const int64_t depth = whole_pairs(keys);
  uint16_t* const rounded = halves(pairs_);
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t j = 0; j < depth; j += kPanel) {
      tile::to_bfloat16(dscores.data + j / kPanel * dscores.panel_stride + r * dscores.stride,
                        rounded + r * sizes_.keys + j, std::min(kPanel, depth - j));
    }
  }
  const int64_t tile_rows = tile::rows_of(Precision::bfloat16);
  float sums[tile::kMaxTileRows * kPanel];
  for (int64_t c = 0; c < sizes_.dim; c += kPanel) {
    for (int64_t r = 0; r < rows; r += tile_rows) {
      const int64_t count = std::min(tile_rows, rows - r);
      tile::multiply(rounded + r * sizes_.keys, sizes_.keys, count, depth,
                     halves(keys_) + c * whole_pairs(loaded_) + key * kPanel, sums);
      tiles::add_tile(sums, count, kPanel, nullptr, products_.data() + r * dim_stride_ + c, dim_stride_);
    }
  }
  return products_.data();
}

void Bfloat16Gradients::store_across(const float* sums, int64_t dim, float factor, float* out, int64_t out_stride) {
  rows::transpose(sums, sizes_.keys, dim, loaded_, rows_.data(), dim);
  tiles::store_rows(rows_.data(), dim, loaded_, dim, factor, out, out_stride);
}

void Bfloat16Gradients::store(float factor, float* dkeys, int64_t dkeys_stride, float* dvalues,
                              int64_t dvalues_stride) {
  store_across(dkeys_.data(), sizes_.dim, factor, dkeys, dkeys_stride);
  store_across(dvalues_.data(), sizes_.value_dim, 1, dvalues, dvalues_stride);
}

}  // namespace roformer
