// Queries or keys of linear attention through the feature map and back: a chunk of tokens of one head, in float32. One
// object per thread and side.
#pragma once

#include <optional>

#include "backend/cpu/attention/tasks.h"
#include "backend/cpu/attention/tile.h"
#include "backend/linear_attention.h"

namespace roformer {

// Tokens per chunk: fixed, so that results depend on shapes only.
inline constexpr int64_t kLinearChunk = 64;

struct LinearCall {
  const LinearAttentionSpec& spec;
  const AttentionTensors& in;
  int64_t dim, value_dim, features;      // per head
  int64_t feature_stride, value_stride;  // at least whole panels
  int64_t chunk;                         // rows per chunk, at most kLinearChunk
  std::optional<Buffer> across, along;   // favor: the projection as a right factor, ωᵀ and ω
  float lowest = 0, highest = 0;         // features of clamped exponents
  std::vector<float> ones;               // for accumulating products

  LinearCall(const LinearAttentionSpec& spec, const AttentionTensors& in);
};

class LinearSide {
 public:
  LinearSide(const LinearCall& call, bool query);

  // φ and R φ of tokens `token` … token + rows − 1. If `saved`, of saved_size() floats, is given, φ is stored there for
  // reload(), which skips the product of random features.
  void load(int64_t head, int64_t token, int64_t rows, float* saved = nullptr);
  void reload(int64_t head, int64_t token, int64_t rows, float* saved);
  int64_t saved_size() const { return tiles::padded_rows(call_.chunk) * call_.feature_stride; }
  const float* features() const { return phi_; }  // [rows, feature_stride], as below
  const float* rotated() const { return rotate_ ? rotated_.data() : phi_; }

  // Where to put the gradients of R φ and φ; overwritten by store().
  float* drotated() const { return drotated_.data(); }
  float* dfeatures() const { return dfeatures_.data(); }
  // Writes the gradient of the loaded tokens.
  void store(const Tensor& gradient);

 private:
  const Tensor& source() const { return query_ ? call_.in.q : call_.in.k; }
  const RotaryAngles* angles() const { return query_ ? call_.spec.query_angles : call_.spec.key_angles; }
  void load_source(int64_t head, int64_t token, int64_t rows);
  void rotate_features();
  void make_random_features();
  void backward_random_features();
  void rotate_back(float* x, int64_t stride) const;

  const LinearCall& call_;
  bool query_, rotate_;  // the features
  int64_t head_ = 0, token_ = 0, rows_ = 0, x_stride_;
  float factor_;  // of x
  Buffer x_, features_, rotated_, drotated_, dfeatures_;
  float* phi_;  // features_ or saved ones
};

}  // namespace roformer
