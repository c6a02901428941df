#include "nn/linear_attention.h"

#include <algorithm>
#include <cmath>
#include <mutex>

#include <fmt/ranges.h>

#include "base/error.h"
#include "base/random.h"
#include "nn/constant_table.h"

namespace roformer {

namespace {

double norm_of(const double* x, int64_t n) {
  double squares = 0;
  for (int64_t i = 0; i < n; ++i) squares += x[i] * x[i];
  return std::sqrt(squares);
}

// Makes row `row` a unit vector orthogonal to rows `first` … row − 1. Two passes, against rounding.
void orthonormalize(std::vector<double>& rows, int64_t first, int64_t row, int64_t dim) {
  double* const x = rows.data() + row * dim;
  for (int pass = 0; pass < 2; ++pass) {
    for (int64_t other = first; other < row; ++other) {
      const double* const y = rows.data() + other * dim;
      double product = 0;
      for (int64_t i = 0; i < dim; ++i) product += x[i] * y[i];
      for (int64_t i = 0; i < dim; ++i) x[i] -= product * y[i];
    }
    const double norm = norm_of(x, dim);
    for (int64_t i = 0; i < dim; ++i) x[i] /= norm;
  }
}

}  // namespace

FeatureMap feature_map(AttentionKind kind) {
  return kind == AttentionKind::linear_relu    ? FeatureMap::relu
         : kind == AttentionKind::linear_favor ? FeatureMap::favor
                                               : FeatureMap::elu;
}

const std::vector<std::string>& attention_names() {
  static const std::vector<std::string> names{"softmax", "linear-elu", "linear-relu", "linear-favor"};
  return names;
}

AttentionKind parse_attention(const std::string& name) {
  const auto found = std::find(attention_names().begin(), attention_names().end(), name);
  if (found == attention_names().end()) {
    throw UsageError("{} is '{}'; expected {}", FieldName("attention"), name, fmt::join(attention_names(), ", "));
  }
  return static_cast<AttentionKind>(found - attention_names().begin());
}

const std::string& attention_name(AttentionKind kind) { return attention_names()[static_cast<size_t>(kind)]; }

FeatureRotation parse_feature_rotation(const std::string& name) {
  if (name == "after") return FeatureRotation::after;
  if (name == "before") return FeatureRotation::before;
  throw UsageError("{} is '{}'; expected after or before", FieldName("attention_rotation"), name);
}

const char* feature_rotation_name(FeatureRotation rotation) {
  return rotation == FeatureRotation::after ? "after" : "before";
}

int64_t default_favor_features(int64_t head_dim) {
  const auto dim = static_cast<double>(head_dim);
  const auto features = static_cast<int64_t>(dim * std::log(dim));
  return std::max<int64_t>(2, (features + 1) / 2 * 2);
}

std::vector<double> favor_projection(int64_t seed, int64_t layer, int64_t draw, int64_t features, int64_t head_dim) {
  const RandomStream stream =
      substream(substream({static_cast<uint64_t>(seed), 0}, static_cast<uint64_t>(layer)), static_cast<uint64_t>(draw));
  Generator directions(substream(stream, 0)), lengths(substream(stream, 1));
  std::vector<double> rows(static_cast<size_t>(features * head_dim));
  for (double& x : rows) x = directions.normal();
  for (int64_t row = 0; row < features; ++row) orthonormalize(rows, row / head_dim * head_dim, row, head_dim);
  std::vector<double> independent(static_cast<size_t>(head_dim));
  for (int64_t row = 0; row < features; ++row) {
    for (double& x : independent) x = lengths.normal();
    const double length = norm_of(independent.data(), head_dim);
    for (int64_t i = 0; i < head_dim; ++i) rows[static_cast<size_t>(row * head_dim + i)] *= length;
  }
  return rows;
}

Rotary feature_rotary(const Rotary& rotary, int64_t head_dim, int64_t features) {
  Rotary result = rotary;
  result.dim = std::max<int64_t>(2, rotary.dim == head_dim ? features : rotary.dim * features / head_dim / 2 * 2);
  return result;
}

struct LinearAttention::Cache {
  std::mutex mutex;
  int64_t draw = -1;
  Tensor projection;
};

LinearAttention::LinearAttention(const LinearAttentionConfig& config)
    : config_(config), cache_(std::make_shared<Cache>()) {}

Tensor LinearAttention::projection(const Context& context) const {
  if (config_.kind != AttentionKind::linear_favor) return {};
  const LinearSettings& settings = config_.settings;
  const bool redraws = context.training && settings.favor_redraw > 0 && context.step > 0;
  const int64_t draw = redraws ? (context.step - 1) / settings.favor_redraw : 0;
  const int64_t head_dim = config_.hidden / config_.heads;
  const std::lock_guard lock(cache_->mutex);
  if (cache_->draw != draw) {
    const std::vector<double> rows =
        favor_projection(settings.favor_seed, config_.layer, draw, settings.favor_features, head_dim);
    cache_->projection =
        constant_table(context.backend, settings.favor_features, head_dim,
                       [&](int64_t row, int64_t column) { return rows[static_cast<size_t>(row * head_dim + column)]; });
    cache_->draw = draw;
  }
  return cache_->projection;
}

Value LinearAttention::attend(const Context& context, Value&& qkv, const Indices& offsets, bool causal,
                              const SharedPositions& positions, const LinearAttentionState& state) const {
  LinearAttentionOptions options{.heads = config_.heads,
                                 .map = feature_map(config_.kind),
                                 .projection = projection(context),
                                 .causal = causal,
                                 .offsets = offsets,
                                 .rotation = config_.settings.rotation};
  const AttentionPositions& rotation = positions.attention;
  if (rotation.query_angles != nullptr) {
    const bool features = options.map == FeatureMap::favor && options.rotation == FeatureRotation::after;
    options.query_angles = features ? positions.feature_query_angles : rotation.query_angles;
    options.key_angles = features ? positions.feature_key_angles : rotation.key_angles;
  }
  const int64_t hidden = config_.hidden;
  auto [q, k, v] = split<3>(std::move(qkv), {hidden, hidden, hidden});
  return linear_attention(context, options, std::move(q), std::move(k), std::move(v), state);
}

LinearAttentionState LinearAttention::start(Backend& backend, int64_t sequences) const {
  const int64_t head_dim = config_.hidden / config_.heads;
  const bool random = config_.kind == AttentionKind::linear_favor;
  const int64_t features = random ? config_.settings.favor_features : head_dim;
  return {backend.zeros({sequences, config_.heads, features, head_dim}),
          backend.zeros({sequences, config_.heads, features})};
}

}  // namespace roformer
