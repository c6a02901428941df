#include "backend/cpu/linear_attention/features.h"

#include <cmath>
#include <limits>

#include "backend/cpu/linear_attention/rows.h"
#include "backend/cpu/rows/rows.h"

namespace roformer {

using tiles::kPanel;

namespace {

bool random_map(const LinearCall& call) { return call.spec.map == FeatureMap::favor; }

float root_of(int64_t features) { return std::sqrt(static_cast<float>(features)); }

// Whole panels plus a cache line: an odd number of lines, so that columns spread over all cache sets.
int64_t spread_stride(int64_t columns) {
  constexpr int64_t kLine = 16;
  return tiles::padded_columns(columns) + kLine;
}

// Padded: tiles read beyond their rows and columns.
Buffer buffer_for(bool wanted, int64_t rows, int64_t stride) {
  return Buffer(wanted ? tiles::padded_rows(rows) * stride : 1);
}

}  // namespace

LinearCall::LinearCall(const LinearAttentionSpec& attention, const AttentionTensors& tensors)
    : spec(attention),
      in(tensors),
      dim(in.q.columns() / spec.heads),
      value_dim(in.v.columns() / spec.heads),
      features(spec.features(dim)),
      feature_stride(spread_stride(features)),
      value_stride(spread_stride(value_dim)),
      chunk(std::min(kLinearChunk, std::max<int64_t>(1, longest(spec.offsets)))),
      ones(static_cast<size_t>(tiles::padded_rows(std::max({features, chunk, dim}))), 1.0f) {
  if (spec.map != FeatureMap::favor) return;
  const Tensor& projection = spec.projection;
  across.emplace(feature_stride * dim);
  tiles::pack_transposed(projection.data<float>(), projection.row_stride(), features, dim, across->data());
  along.emplace(tiles::padded_columns(dim) * features);
  tiles::pack(projection.data<float>(), projection.row_stride(), features, dim, along->data());
  lowest = -std::numeric_limits<float>::infinity();
  highest = std::numeric_limits<float>::infinity();
  rows::random_features(&lowest, 0, root_of(features), 1);
  rows::random_features(&highest, 0, root_of(features), 1);
}

LinearSide::LinearSide(const LinearCall& call, bool query)
    : call_(call),
      query_(query),
      rotate_(angles() != nullptr && call.spec.rotation == FeatureRotation::after),
      x_stride_(tiles::padded_columns(call.dim)),
      factor_(random_map(call) ? static_cast<float>(std::pow(static_cast<double>(call.dim), -0.25)) : 1.0f),
      x_(buffer_for(random_map(call), call.chunk, x_stride_)),
      features_(buffer_for(true, call.chunk, call.feature_stride)),
      rotated_(buffer_for(rotate_, call.chunk, call.feature_stride)),
      drotated_(buffer_for(true, call.chunk, call.feature_stride)),
      dfeatures_(buffer_for(true, call.chunk, call.feature_stride)),
      phi_(features_.data()) {}

// Loads x where its map reads it: for random features into its own buffer, otherwise in place of the features.
void LinearSide::load_source(int64_t head, int64_t token, int64_t rows) {
  head_ = head;
  token_ = token;
  rows_ = rows;
  const bool random = random_map(call_);
  const Tensor& from = source();
  const tiles::RowSource x{from.row<float>(token) + head * call_.dim, from.row_stride(), call_.dim,
                           call_.spec.rotation == FeatureRotation::before ? angles() : nullptr, token};
  tiles::load_rows(x, rows, factor_, random ? x_.data() : phi_, random ? x_stride_ : call_.feature_stride);
}

void LinearSide::rotate_features() {
  if (!rotate_) return;
  tiles::load_rows({phi_, call_.feature_stride, call_.features, angles(), token_}, rows_, 1, rotated_.data(),
                   call_.feature_stride);
}

void LinearSide::load(int64_t head, int64_t token, int64_t rows, float* saved) {
  phi_ = saved != nullptr ? saved : features_.data();
  load_source(head, token, rows);
  if (random_map(call_)) {
    make_random_features();
  } else {
    for (int64_t r = 0; r < rows; ++r) {
      rows::pointwise_features(call_.spec.map, phi_ + r * call_.feature_stride, call_.features);
    }
  }
  rotate_features();
}

void LinearSide::reload(int64_t head, int64_t token, int64_t rows, float* saved) {
  if (!random_map(call_)) return load(head, token, rows);
  phi_ = saved;
  load_source(head, token, rows);
  for (int64_t r = 0; r < rows; ++r) rows::cut_row(x_.data() + r * x_stride_, call_.dim);
  rotate_features();
}

void LinearSide::make_random_features() {
  float halves[kLinearChunk];  // |x|²/2
  for (int64_t r = 0; r < rows_; ++r) halves[r] = rows::cut_row(x_.data() + r * x_stride_, call_.dim);
  tiles::multiply(rows_, call_.features, call_.dim, {x_.data(), x_stride_},
                  {.data = call_.across->data(), .panel_stride = call_.dim * kPanel}, nullptr, phi_,
                  call_.feature_stride);
  for (int64_t r = 0; r < rows_; ++r) {
    float* const row = phi_ + r * call_.feature_stride;
    const float shift = query_ ? rows::maximum(row, call_.features) : halves[r];
    rows::random_features(row, shift, root_of(call_.features), call_.features);
  }
}

void LinearSide::rotate_back(float* x, int64_t stride) const {
  const RotaryAngles& by = *angles();
  const auto rotate = by.layout == RotaryLayout::adjacent ? rows::rotate_adjacent : rows::rotate_half;
  for (int64_t r = 0; r < rows_; ++r) {
    const int32_t row = by.row[static_cast<size_t>(token_ + r)];
    rotate(x + r * stride, by.cos.row<float>(row), by.sin.row<float>(row), -1, by.dim / 2);
  }
}

// Back through the exponents and ω to the gradient of x, which replaces drotated.
void LinearSide::backward_random_features() {
  float sums[kLinearChunk];
  for (int64_t r = 0; r < rows_; ++r) {
    const int64_t at = r * call_.feature_stride;
    sums[r] =
        rows::random_features_backward(phi_ + at, call_.lowest, call_.highest, dfeatures_.data() + at, call_.features);
  }
  // x is usually narrower than its features, so its gradient has a separate buffer.
  thread_local std::vector<float> dx;
  dx.resize(static_cast<size_t>(tiles::padded_rows(rows_) * x_stride_));
  tiles::multiply(rows_, call_.dim, call_.features, {dfeatures_.data(), call_.feature_stride},
                  {.data = call_.along->data(), .panel_stride = call_.features * kPanel}, nullptr, dx.data(),
                  x_stride_);
  for (int64_t r = 0; r < rows_; ++r) {
    float* const row = x_.data() + r * x_stride_;
    rows::finish_gradient(row, query_ ? 0.0f : sums[r], factor_, dx.data() + r * x_stride_, call_.dim);
    std::copy_n(dx.data() + r * x_stride_, call_.dim, row);
  }
}

void LinearSide::store(const Tensor& gradient) {
  const int64_t stride = call_.feature_stride;
  if (rotate_) rotate_back(drotated_.data(), stride);
  for (int64_t r = 0; r < rows_; ++r) {
    float* const row = dfeatures_.data() + r * stride;
    rows::add(drotated_.data() + r * stride, row, call_.features);
    if (!random_map(call_)) {
      rows::pointwise_features_backward(call_.spec.map, phi_ + r * stride, row, call_.features);
    }
  }
  if (random_map(call_)) backward_random_features();
  float* const dx = random_map(call_) ? x_.data() : dfeatures_.data();
  const int64_t dx_stride = random_map(call_) ? x_stride_ : stride;
  if (call_.spec.rotation == FeatureRotation::before && angles() != nullptr) rotate_back(dx, dx_stride);
  tiles::store_rows(dx, dx_stride, rows_, call_.dim, 1, gradient.row<float>(token_) + head_ * call_.dim,
                    gradient.row_stride());
}

}  // namespace roformer
