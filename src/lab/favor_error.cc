#include "lab/favor_error.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "backend/linear_attention.h"
#include "base/error.h"
#include "base/random.h"
#include "nn/constant_table.h"
#include "nn/linear_attention.h"

namespace roformer {
namespace {

using Matrix = std::vector<double>;  // [tokens, head_dim]

Matrix random_matrix(const FavorErrorOptions& options, uint64_t stream, double deviation) {
  Generator generator({static_cast<uint64_t>(options.seed), stream});
  Matrix x(static_cast<size_t>(options.tokens * options.head_dim));
  // In float32, as the kernel's inputs.
  for (double& value : x) value = static_cast<float>(deviation * generator.normal());
  return x;
}

Tensor tensor_of(Backend& backend, const FavorErrorOptions& options, const Matrix& x) {
  return constant_table(backend, options.tokens, options.head_dim, [&](int64_t row, int64_t column) {
    return x[static_cast<size_t>(row * options.head_dim + column)];
  });
}

Matrix softmax_attention(const FavorErrorOptions& options, const Matrix& q, const Matrix& k, const Matrix& v) {
  const auto tokens = static_cast<size_t>(options.tokens), dim = static_cast<size_t>(options.head_dim);
  Matrix out(q.size());
  std::vector<double> weights(tokens);
  for (size_t m = 0; m < tokens; ++m) {
    for (size_t n = 0; n < tokens; ++n) {
      double score = 0;
      for (size_t c = 0; c < dim; ++c) score += q[m * dim + c] * k[n * dim + c];
      weights[n] = score / std::sqrt(static_cast<double>(dim));
    }
    const double top = *std::max_element(weights.begin(), weights.end());
    double sum = 0;
    for (double& weight : weights) sum += weight = std::exp(weight - top);
    for (size_t n = 0; n < tokens; ++n) {
      for (size_t c = 0; c < dim; ++c) out[m * dim + c] += weights[n] / sum * v[n * dim + c];
    }
  }
  return out;
}

double norm(const Matrix& x) {
  double squares = 0;
  for (const double value : x) squares += value * value;
  return std::sqrt(squares);
}

// The relative error of one draw.
double error_of(Backend& backend, const FavorErrorOptions& options, const AttentionTensors& in, const Matrix& exact,
                int64_t features, int64_t draw) {
  const std::vector<double> rows = favor_projection(options.seed, 0, draw, features, options.head_dim);
  const int32_t offsets[] = {0, static_cast<int32_t>(options.tokens)};
  const LinearAttentionSpec spec{
      .map = FeatureMap::favor,
      .projection = constant_table(
          backend, features, options.head_dim,
          [&](int64_t row, int64_t column) { return rows[static_cast<size_t>(row * options.head_dim + column)]; }),
      .offsets = offsets};
  const Tensor out = backend.zeros({options.tokens, options.head_dim});
  backend.linear_attention(spec, in, out, backend.zeros({1, options.tokens}), {});
  const Tensor result = backend.to_host(out);
  Matrix difference = exact;
  for (size_t i = 0; i < difference.size(); ++i) difference[i] -= static_cast<double>(result.data<float>()[i]);
  return norm(difference) / norm(exact);
}

double slope_of(const std::vector<FavorError>& points) {
  double count = 0, x = 0, y = 0, xx = 0, xy = 0;
  for (const FavorError& point : points) {
    const double log_features = std::log(static_cast<double>(point.features)), log_error = std::log(point.mean);
    count += 1;
    x += log_features;
    y += log_error;
    xx += log_features * log_features;
    xy += log_features * log_error;
  }
  return (count * xy - x * y) / (count * xx - x * x);
}

FavorErrors errors_of(Backend& backend, const FavorErrorOptions& options, double deviation) {
  const Matrix q = random_matrix(options, 1, deviation), k = random_matrix(options, 2, deviation);
  const Matrix v = random_matrix(options, 3, 1);
  const Matrix exact = softmax_attention(options, q, k, v);
  const AttentionTensors in{tensor_of(backend, options, q), tensor_of(backend, options, k),
                            tensor_of(backend, options, v)};
  FavorErrors errors{.deviation = deviation, .points = {}};
  for (const int64_t features : options.features) {
    std::vector<double> of_draws;
    for (int64_t draw = 0; draw < options.draws; ++draw) {
      of_draws.push_back(error_of(backend, options, in, exact, features, draw));
    }
    const auto [low, high] = std::minmax_element(of_draws.begin(), of_draws.end());
    errors.points.push_back({features, norm(of_draws) / std::sqrt(static_cast<double>(options.draws)), *low, *high});
  }
  errors.slope = slope_of(errors.points);
  return errors;
}

PlotSeries curve_of(const FavorErrors& errors) {
  std::vector<FavorError> points = errors.points;
  std::sort(points.begin(), points.end(),
            [](const FavorError& a, const FavorError& b) { return a.features < b.features; });
  const double scores = errors.deviation * errors.deviation;
  PlotSeries series{.name = fmt::format("scores of deviation {:.3g}: slope {:.2f}", scores, errors.slope),
                    .points = {},
                    .low = {},
                    .high = {}};
  for (const FavorError& point : points) {
    const auto features = static_cast<double>(point.features);
    series.points.push_back({features, point.mean});
    series.low.push_back({features, point.low});
    series.high.push_back({features, point.high});
  }
  return series;
}

// error ∝ 1/√features.
PlotSeries expected_line(const std::vector<PlotPoint>& measured) {
  double shift = 0;  // the mean of log(error · √features)
  for (const PlotPoint& point : measured) {
    shift += std::log(point.y * std::sqrt(point.x)) / static_cast<double>(measured.size());
  }
  PlotSeries series{.name = "1/√features", .points = {}, .low = {}, .high = {}};
  for (const PlotPoint& point : measured) series.points.push_back({point.x, std::exp(shift) / std::sqrt(point.x)});
  return series;
}

}  // namespace

std::vector<FavorErrors> favor_errors(Backend& backend, const FavorErrorOptions& options) {
  const auto [least, most] = std::minmax_element(options.features.begin(), options.features.end());
  if (options.features.empty() || *least == *most) {
    throw UsageError("{}: expected at least two different numbers, to fit the slope of the error",
                     FieldName("features"));
  }
  std::vector<FavorErrors> errors;
  for (const double deviation : options.deviations) errors.push_back(errors_of(backend, options, deviation));
  return errors;
}

Plot favor_error_plot(const std::vector<FavorErrors>& errors, const FavorErrorOptions& options) {
  Plot plot{.title = fmt::format("FAVOR+ beside softmax attention ({} tokens, head size {}, {} draws)", options.tokens,
                                 options.head_dim, options.draws),
            .x_label = "random features",
            .y_label = "relative error",
            .series = {},
            .logarithmic = true};
  for (const FavorErrors& of_one : errors) plot.series.push_back(curve_of(of_one));
  if (!plot.series.empty()) plot.series.push_back(expected_line(plot.series.front().points));
  return plot;
}

}  // namespace roformer
