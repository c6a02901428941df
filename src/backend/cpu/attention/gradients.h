// The products of attention's backward, one class per factor type, with the same interface: a tile of queries with a
// block of keys, whose gradients are summed here. One object per thread.
#pragma once

#include "backend/cpu/attention/tasks.h"
#include "backend/cpu/attention/tile.h"

namespace roformer {

// Maximum keys of a block, in whole panels, and head sizes.
struct GradientSizes {
  int64_t keys, dim, value_dim;
};

class Float32Gradients {
 public:
  static constexpr int64_t kQueries = 48;  // of a tile
  explicit Float32Gradients(const GradientSizes& sizes);

  void load_keys(const tiles::RowSource& keys, const tiles::RowSource& values, int64_t rows);  // zeroes the sums
  void load_queries(const tiles::RowSource& queries, float factor, const tiles::RowSource& douts, int64_t rows);
  // queries · keysᵀ and douts · valuesᵀ, of the tile's rows and the keys key … key + keys − 1; `key` a multiple of 64.
  tiles::Scores score(int64_t rows, int64_t key, int64_t keys);
  tiles::Scores dweigh(int64_t rows, int64_t key, int64_t keys);
  // Add weightsᵀ · douts and dscoresᵀ · queries to the sums; both computed in the tiles of score and dweigh.
  void add_values(const tiles::Scores& weights, int64_t rows, int64_t key, int64_t keys);
  void add_keys(const tiles::Scores& dscores, int64_t rows, int64_t key, int64_t keys);
  // dscores · keys, [rows, dim] with query_stride().
  const float* query_products(const tiles::Scores& dscores, int64_t rows, int64_t key, int64_t keys);
  int64_t query_stride() const { return dim_stride_; }
  // Stores the sums, those of keys times `factor`.
  void store(float factor, float* dkeys, int64_t dkeys_stride, float* dvalues, int64_t dvalues_stride);

 private:
  GradientSizes sizes_;
  int64_t dim_stride_, value_stride_, loaded_ = 0;
  Buffer queries_, douts_, products_;          // rows of queries
  Buffer keys_across_, values_across_, keys_;  // panels
  Buffer dkeys_, dvalues_, ones_;              // rows of keys
  Buffer weights_, dweights_;                  // tiles
};

// All factors rounded to bfloat16. Sums are transposed, so that weights and dscores are right factors, whose pairs are
// adjacent queries.
class Bfloat16Gradients {
 public:
  static constexpr int64_t kQueries = 96;
  explicit Bfloat16Gradients(const GradientSizes& sizes);

  void load_keys(const tiles::RowSource& keys, const tiles::RowSource& values, int64_t rows);
  void load_queries(const tiles::RowSource& queries, float factor, const tiles::RowSource& douts, int64_t rows);
  tiles::Scores score(int64_t rows, int64_t key, int64_t keys);
  tiles::Scores dweigh(int64_t rows, int64_t key, int64_t keys);
  void add_values(const tiles::Scores& weights, int64_t rows, int64_t key, int64_t keys);
  void add_keys(const tiles::Scores& dscores, int64_t rows, int64_t key, int64_t keys);
  const float* query_products(const tiles::Scores& dscores, int64_t rows, int64_t key, int64_t keys);
  int64_t query_stride() const { return dim_stride_; }
  void store(float factor, float* dkeys, int64_t dkeys_stride, float* dvalues, int64_t dvalues_stride);

 private:
  void load_side(const tiles::RowSource& x, float factor, int64_t rows, uint16_t* rounded, uint16_t* across);
  void add_across(const tiles::Scores& weights, int64_t rows, int64_t keys, const uint16_t* across, int64_t dim,
                  float* sums);
  void store_across(const float* sums, int64_t dim, float factor, float* out, int64_t out_stride);

  GradientSizes sizes_;
  int64_t dim_stride_, loaded_ = 0;
  Buffer queries_, queries_across_, douts_, douts_across_;  // rows of queries, and transposed
  Buffer keys_across_, values_across_, keys_;               // panels of pairs
  Buffer dkeys_, dvalues_;                                  // transposed sums
  Buffer weights_, dweights_;                               // tiles
  Buffer pairs_, products_, rows_, more_rows_;              // temporaries
};

}  // namespace roformer
