#include "lab/rope_figures.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <vector>

#include "base/random.h"
#include "position/decay.h"
#include "position/sinusoid.h"
#include "report/svg_planes.h"

namespace roformer {
namespace {

constexpr double kDegree = std::numbers::pi / 180;

double angle_of(const RotaryFrequencies& frequencies, int64_t position, int64_t pair) {
  const auto [cos, sin] = frequencies.angle(position, pair);
  return std::atan2(sin, cos);
}

std::string degrees(double radians) { return fmt::format("{:.0f}°", radians / kDegree); }

using Vector = std::vector<double>;

Vector random_vector(Generator& generator, int64_t size) {
  Vector values(static_cast<size_t>(size));
  for (double& value : values) value = generator.normal();
  return values;
}

double dot(const Vector& a, const Vector& b) { return std::inner_product(a.begin(), a.end(), b.begin(), 0.0); }

// A square matrix whose products are about as long as their factors, as a projection before training.
class Projection {
 public:
  Projection(Generator& generator, int64_t size) : values_(random_vector(generator, size * size)) {
    for (double& value : values_) value /= std::sqrt(static_cast<double>(size));
  }
  Vector operator()(const Vector& x) const {
    Vector result;
    for (auto row = values_.begin(); row != values_.end(); row += static_cast<std::ptrdiff_t>(x.size())) {
      result.push_back(std::inner_product(x.begin(), x.end(), row, 0.0));
    }
    return result;
  }

 private:
  Vector values_;  // row-major
};

Vector sinusoids(int64_t position, int64_t dim) {
  Vector values;
  for (int64_t column = 0; column < dim; ++column) {
    values.push_back(sinusoid(position, column, dim, SinusoidLayout::interleaved));
  }
  return values;
}

// A line through the means of `columns`, each of several values at x = 0, 1, …, and the band around it.
PlotSeries mean_and_band(std::string name, const std::vector<Vector>& columns) {
  PlotSeries series{.name = std::move(name), .points = {}, .low = {}, .high = {}};
  for (size_t i = 0; i < columns.size(); ++i) {
    const Vector& values = columns[i];
    const auto x = static_cast<double>(i);
    const auto [low, high] = std::minmax_element(values.begin(), values.end());
    const double sum = std::accumulate(values.begin(), values.end(), 0.0);
    series.points.push_back({x, sum / static_cast<double>(values.size())});
    series.low.push_back({x, *low});
    series.high.push_back({x, *high});
  }
  return series;
}

}  // namespace

std::string rope_rotation_figure() {
  const RotaryFrequencies frequencies({.dim = 4, .base = 4});
  constexpr int64_t kPair = 1;  // θ = 4^(−1/2) = 1/2
  constexpr double kQuery = 15 * kDegree, kKey = -30 * kDegree;
  constexpr int64_t kQueryAt = 2, kKeyAt = 5, kShift = 4;
  Plane turning;
  for (int64_t position = 0; position < 8; ++position) {
    turning.arrows.push_back({.angle = angle_of(frequencies, position, kPair), .label = fmt::format("{}", position)});
  }
  turning.arcs.push_back({.from = 0, .to = frequencies.theta(kPair), .radius = 0.55, .label = "θ"});

  const auto meeting = [&](int64_t query, int64_t key) {
    const double q = kQuery + static_cast<double>(query) * frequencies.theta(kPair);
    const double k = kKey + static_cast<double>(key) * frequencies.theta(kPair);
    return Plane{.arrows = {{.angle = kQuery, .length = 1, .color = 0, .label = "q", .faint = true},
                            {.angle = kKey, .length = 0.8, .color = 1, .label = "k", .faint = true},
                            {.angle = q, .length = 1, .color = 0, .label = fmt::format("q at {}", query)},
                            {.angle = k, .length = 0.8, .color = 1, .label = fmt::format("k at {}", key)}},
                 .arcs = {{.from = q, .to = k, .radius = 0.45, .label = degrees(k - q)}}};
  };
  return svg_planes({.title = "A pair of elements is a point in the plane; each position turns it by θ = 0.5",
                     .corner = {},
                     .columns = {{"a vector at positions 0 … 7", "its length stays"},
                                 {fmt::format("query at {}, key at {}", kQueryAt, kKeyAt), "faint: before the turn"},
                                 {fmt::format("both {} tokens later", kShift), "the angle between them is the same"}},
                     .rows = {},
                     .planes = {turning, meeting(kQueryAt, kKeyAt), meeting(kQueryAt + kShift, kKeyAt + kShift)}});
}

std::string rope_clock_figure(const RopeFigureOptions& options) {
  const RotaryFrequencies frequencies({.dim = options.dim, .base = options.base});
  const int64_t count = std::min<int64_t>(8, frequencies.pairs());
  PlaneTable table{.title = fmt::format("{} of the {} pairs as hands of clocks (d = {}, base {})", count,
                                        frequencies.pairs(), options.dim, options.base),
                   .corner = {"", "tokens a turn:"},
                   .columns = {},
                   .rows = {},
                   .planes = {}};
  std::vector<int64_t> pairs;
  for (int64_t i = 0; i < count; ++i) {
    pairs.push_back(count == 1 ? 0 : i * (frequencies.pairs() - 1) / (count - 1));
    const double turn = 2 * std::numbers::pi / frequencies.theta(pairs.back());
    table.columns.push_back({fmt::format("pair {}", pairs.back()), turn < 1e6
                                                                       ? fmt::format("{:.{}f}", turn, turn < 10 ? 1 : 0)
                                                                       : fmt::format("{:.1e}", turn)});
  }
  for (const int64_t position : {0, 1, 2, 3, 10, 100, 1000}) {
    table.rows.push_back({fmt::format("position {}", position), ""});
    for (const int64_t pair : pairs) {
      table.planes.push_back(
          {.arrows = {{.angle = angle_of(frequencies, position, pair), .length = 0.92}}, .arcs = {}});
    }
  }
  return svg_planes(table);
}

Plot rope_decay_plot(const RopeFigureOptions& options) {
  const RotaryFrequencies frequencies({.dim = options.dim, .base = options.base});
  constexpr int kVectors = 100;
  Generator generator({static_cast<uint64_t>(options.seed), 0});
  std::vector<Vector> vectors;
  vectors.reserve(kVectors);
  for (int i = 0; i < kVectors; ++i) vectors.push_back(random_vector(generator, options.dim));
  Plot plot{
      .title = fmt::format("Decay with distance, both 1 at distance 0 (d = {}, base {})", options.dim, options.base),
      .x_label = "distance in tokens",
      .y_label = "share of the value at 0",
      .series = {{.name = "mean of |S_i| (Eq. 37)", .points = {}, .low = {}, .high = {}}}};
  std::vector<Vector> scores;
  for (int64_t distance = 0; distance <= options.max_distance; ++distance) {
    const double bound = rotary_decay(frequencies, distance) / rotary_decay(frequencies, 0);
    plot.series[0].points.push_back({static_cast<double>(distance), bound});
    scores.emplace_back();
    for (const Vector& x : vectors) scores.back().push_back(rotary_score(frequencies, x, x, distance) / dot(x, x));
  }
  plot.series.push_back(
      mean_and_band(fmt::format("score of a vector with itself: mean and range of {}", kVectors), scores));
  return plot;
}

Plot rope_scores_plot(const RopeFigureOptions& options) {
  constexpr int64_t kQueryPositions = 256;
  const RotaryFrequencies frequencies({.dim = options.dim, .base = options.base});
  Generator generator({static_cast<uint64_t>(options.seed), 0});
  const Vector x = random_vector(generator, options.dim), y = random_vector(generator, options.dim);
  const Projection to_query(generator, options.dim), to_key(generator, options.dim);
  const Vector q = to_query(x), k = to_key(y);
  const double scale = 1 / std::sqrt(static_cast<double>(options.dim));
  // A projection is linear: W(x + p) = Wx + Wp.
  std::vector<Vector> queries, keys;
  for (int64_t position = 0; position < kQueryPositions + options.max_distance; ++position) {
    const Vector p = sinusoids(position, options.dim);
    const auto sum = [](Vector a, const Vector& b) {
      std::transform(a.begin(), a.end(), b.begin(), a.begin(), std::plus<>());
      return a;
    };
    if (position < kQueryPositions) queries.push_back(sum(to_query(p), q));
    keys.push_back(sum(to_key(p), k));
  }
  Plot plot{.title = fmt::format("Score of one query word and one key word (d = {}, random projections)", options.dim),
            .x_label = "distance: position of the key − position of the query",
            .y_label = "qᵀk / √d",
            .series = {{.name = "rotary: one value for a distance", .points = {}, .low = {}, .high = {}}}};
  std::vector<Vector> added;
  for (int64_t distance = 0; distance <= options.max_distance; ++distance) {
    plot.series[0].points.push_back({static_cast<double>(distance), scale * rotary_score(frequencies, q, k, distance)});
    added.emplace_back();
    for (int64_t m = 0; m < kQueryPositions; ++m) {
      added.back().push_back(scale * dot(queries[static_cast<size_t>(m)], keys[static_cast<size_t>(m + distance)]));
    }
  }
  plot.series.push_back(mean_and_band("sinusoids added: mean and range over positions", added));
  return plot;
}

Plot rope_scaling_plot(const RopeFigureOptions& options) {
  YarnScaling yarn;
  yarn.factor = options.factor;
  yarn.original_positions = options.original_positions;
  const std::pair<const char*, RotaryScaling> kinds[] = {
      {"position interpolation", LinearScaling{.factor = options.factor}},
      {"NTK-aware", NtkScaling{.factor = options.factor}},
      {"YaRN", yarn},
      {"Llama 3", Llama3Scaling{.factor = options.factor, .original_positions = options.original_positions}}};
  Plot plot{.title = fmt::format("How fast each pair still turns, for texts {} × as long (d = {}, base {})",
                                 options.factor, options.dim, options.base),
            .x_label = fmt::format("pair, fast to slow (trained on {} tokens)", options.original_positions),
            .y_label = "θ after / θ before",
            .series = {}};
  const RotaryFrequencies before({.dim = options.dim, .base = options.base});
  for (const auto& [name, scaling] : kinds) {
    const RotaryFrequencies after({.dim = options.dim, .base = options.base, .scaling = scaling});
    PlotSeries series{.name = name, .points = {}, .low = {}, .high = {}};
    for (int64_t pair = 0; pair < before.pairs(); ++pair) {
      series.points.push_back({static_cast<double>(pair), after.theta(pair) / before.theta(pair)});
    }
    plot.series.push_back(series);
  }
  return plot;
}

}  // namespace roformer
