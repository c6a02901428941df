// The factors of attention's two products, one class per factor type, with the same interface: rotated queries, a block
// of packed keys and values, and a tile of weights. One object per thread.
#pragma once

#include "backend/cpu/attention/tasks.h"
#include "backend/cpu/attention/tile.h"

namespace roformer {

// Maximum sizes, in whole panels.
struct FactorSizes {
  int64_t queries, tile_queries, keys, dim, value_dim;
  bool rotated;  // whether keys are rotated
};

class Float32Factors {
 public:
  static int64_t tile_queries() { return 24; }
  explicit Float32Factors(const FactorSizes& sizes);
  void load_queries(const tiles::RowSource& x, int64_t rows, float factor);
  void load_keys(const tiles::RowSource& x, int64_t rows);
  void load_values(const tiles::RowSource& x, int64_t rows);  // as many rows as keys
  // The tile of queries first … first + rows − 1 and the keys key … key + keys − 1; `key` a multiple of 64.
  tiles::Scores score(int64_t first, int64_t rows, int64_t key, int64_t keys);
  // c [rows, value_dim] = the tile's weights · values + factors[row] · c; see tiles::multiply.
  void weigh_values(int64_t rows, int64_t key, int64_t keys, const float* factors, float* c, int64_t c_stride);

 private:
  FactorSizes sizes_;
  int64_t query_stride_, loaded_ = 0;
  Buffer queries_, rows_, keys_, values_, scores_;
};

// Queries, keys, values and weights rounded to bfloat16; scores are float32.
class Bfloat16Factors {
 public:
  static int64_t tile_queries() { return tile::in_tile_registers(Precision::bfloat16) ? 32 : 24; }
  explicit Bfloat16Factors(const FactorSizes& sizes);
  void load_queries(const tiles::RowSource& x, int64_t rows, float factor);
  void load_keys(const tiles::RowSource& x, int64_t rows);
  void load_values(const tiles::RowSource& x, int64_t rows);
  tiles::Scores score(int64_t first, int64_t rows, int64_t key, int64_t keys);
  void weigh_values(int64_t rows, int64_t key, int64_t keys, const float* factors, float* c, int64_t c_stride);

 private:
  FactorSizes sizes_;
  int64_t depth_, loaded_ = 0;  // depth_: dim, padded to pairs
  Buffer queries_, rows_, rounded_, keys_, values_, scores_, weights_;
};

}  // namespace roformer
