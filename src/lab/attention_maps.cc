#include "lab/attention_maps.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <span>

#include "base/error.h"
#include "lab/attention_scores.h"
#include "position/decay.h"
#include "text/token_rows.h"

namespace roformer {
namespace {

// Runs the trunk on one text and calls `look` with the scores of layer 0, 1, …
void run_observed(const Model& model, const Encoding& encoding,
                  const std::function<void(int64_t, AttentionScores&)>& look) {
  struct Observer final : AttentionObserver {
    Observer(Backend& of_model, const std::function<void(int64_t, AttentionScores&)>& function)
        : backend(of_model), look(function) {}
    void observe(const AttentionSpec& spec, const AttentionTensors& in) override {
      AttentionScores scores(backend, spec, in);
      look(layer++, scores);
    }
    Backend& backend;
    const std::function<void(int64_t, AttentionScores&)>& look;
    int64_t layer = 0;
  };
  if (model.config().has_linear_attention()) throw UsageError("linear attention has no matrix of weights to show");
  Batch batch;
  batch.append(encoding.ids, encoding.segment_ids);
  Observer observer(model.backend(), look);
  model.trunk().forward({.backend = model.backend(), .observer = &observer}, batch);
}

HeatMap softmax_of(const AttentionScores& scores, int64_t head) {
  const int64_t tokens = scores.tokens();
  HeatMap map{tokens, tokens, {}};
  std::vector<double> row;
  for (int64_t i = 0; i < tokens; ++i) {
    row.clear();
    const AttentionSpec::KeyRange seen = scores.seen(i);
    for (int64_t j = seen.first; j < seen.end; ++j) row.push_back(scores.at(head, i, j));
    const double largest = row.empty() ? 0 : *std::max_element(row.begin(), row.end());
    double sum = 0;
    for (double& value : row) sum += value = std::exp(value - largest);
    map.values.resize(static_cast<size_t>(i * tokens + seen.first), 0.0f);
    for (const double value : row) map.values.push_back(static_cast<float>(value / sum));
    map.values.resize(static_cast<size_t>((i + 1) * tokens), 0.0f);
  }
  return map;
}

}  // namespace

AttentionMaps attention_maps(const Model& model, const Tokenizer& tokenizer, const std::string& text) {
  constexpr int64_t kMaxCells = 16'000'000;
  const Encoding encoding = tokenizer.encode(text);
  check_rows(tokenizer, encoding.ids, model.config().vocabulary);
  const auto count = static_cast<int64_t>(encoding.ids.size());
  if (count > kMaxMapTokens) {
    throw DataError("the text has {} tokens; attention maps support at most {}", count, kMaxMapTokens);
  }
  const int64_t maps = model.config().layers * model.config().heads;
  if (maps * count * count > kMaxCells) {
    throw DataError("{} heads of {} × {} cells are too many to draw; give a text of at most {} tokens", maps, count,
                    count, static_cast<int64_t>(std::sqrt(kMaxCells / maps)));
  }
  AttentionMaps result;
  for (const int32_t id : encoding.ids) result.tokens.push_back(tokenizer.token(id));
  run_observed(model, encoding, [&](int64_t, AttentionScores& scores) {
    auto& heads = result.heads.emplace_back();
    for (int64_t head = 0; head < scores.heads(); ++head) heads.push_back(softmax_of(scores, head));
  });
  return result;
}

ScoresByDistance::ScoresByDistance(const Model& model, const Tokenizer& tokenizer)
    : model_(model), tokenizer_(tokenizer) {
  const auto* rotary = std::get_if<RotaryPosition>(&model.config().position);
  // With learned rotations, xPos, scaled frequencies, grids, or rotations that differ between layers, vectors before
  // rotation do not determine a single score by distance.
  const bool plain = rotary != nullptr && !rotary->learned && !rotary->xpos && rotary->rotary.grid_width == 0 &&
                     rotary->rotary.scaling == RotaryScaling() && model.config().layer_rotary.empty();
  if (plain) frequencies_.emplace(rotary->rotary);
  if (const auto* tupe = std::get_if<TupePosition>(&model.config().position)) {
    longest_ = std::min(longest_, tupe->max_positions);
  }
  if (std::holds_alternative<LearnedPosition>(model.config().position)) {
    longest_ = std::min(longest_, model.config().max_positions);
  }
  const auto width = static_cast<size_t>(model.config().heads * model.config().head_dim());
  const std::vector<double> distances(2 * kReach + 1);
  const Layer empty{distances, distances, std::vector<double>(width), std::vector<double>(width), 0};
  layers_.assign(static_cast<size_t>(model.config().layers), empty);
}

void ScoresByDistance::add(const std::string& text) {
  Encoding encoding = tokenizer_.encode(text);
  if (static_cast<int64_t>(encoding.ids.size()) > longest_) {
    encoding = tokenizer_.encode(text, std::nullopt, longest_);
    ++shortened_;
  }
  check_rows(tokenizer_, encoding.ids, model_.config().vocabulary);
  const auto tokens = static_cast<int64_t>(encoding.ids.size());
  run_observed(model_, encoding, [&](int64_t number, AttentionScores& scores) {
    Layer& layer = layers_[static_cast<size_t>(number)];
    layer.scale = scores.scale();
    const auto heads = scores.heads();
    const auto in_reach = [&](int64_t i) {
      const AttentionSpec::KeyRange seen = scores.seen(i);
      return std::pair{std::max(seen.first, i - kReach), std::min(seen.end, i + kReach + 1)};
    };
    for (int64_t i = 0; i < tokens; ++i) {
      const auto [begin, end] = in_reach(i);
      for (int64_t j = begin; j < end; ++j) layer.pairs[static_cast<size_t>(j - i + kReach)] += 1;
    }
    for (int64_t head = 0; head < heads; ++head) {
      for (int64_t i = 0; i < tokens; ++i) {
        const auto [begin, end] = in_reach(i);
        for (int64_t j = begin; j < end; ++j) {
          layer.sums[static_cast<size_t>(j - i + kReach)] += scores.at(head, i, j) / static_cast<double>(heads);
        }
      }
      if (!frequencies_) continue;
      for (int64_t i = 0; i < tokens; ++i) {
        for (const auto& [vector, sums] :
             {std::pair{scores.query(head, i), &layer.queries}, std::pair{scores.key(head, i), &layer.keys}}) {
          rotate(vector, *frequencies_, i, RotaryDirection::transposed);
          const auto sum = sums->begin() + head * std::ssize(vector);
          std::transform(vector.begin(), vector.end(), sum, sum, std::plus<>());
        }
      }
    }
  });
  ++texts_;
  tokens_ += tokens;
}

std::vector<PlotSeries> ScoresByDistance::measured() const {
  std::vector<PlotSeries> result;
  for (size_t number = 0; number < layers_.size(); ++number) {
    PlotSeries series{.name = fmt::format("layer {}", number), .points = {}, .low = {}, .high = {}};
    const auto& [pairs, sums, queries, keys, scale] = layers_[number];
    for (size_t i = 0; i < pairs.size(); ++i) {
      if (pairs[i] == 0 || pairs[i] < pairs[kReach] / 100) continue;
      series.points.push_back({static_cast<double>(i) - kReach, sums[i] / pairs[i]});
    }
    result.push_back(std::move(series));
  }
  return result;
}

std::vector<PlotSeries> ScoresByDistance::of_means() const {
  if (!frequencies_ || tokens_ == 0) return {};
  const auto heads = static_cast<size_t>(model_.config().heads);
  const auto width = static_cast<size_t>(model_.config().head_dim());
  const auto count = static_cast<double>(tokens_);
  std::vector<PlotSeries> result;
  for (size_t number = 0; number < layers_.size(); ++number) {
    const Layer& layer = layers_[number];
    PlotSeries series{.name = fmt::format("layer {}", number), .points = {}, .low = {}, .high = {}};
    for (int64_t distance = -kReach; distance <= kReach; ++distance) {
      double sum = 0;
      for (size_t head = 0; head < heads; ++head) {
        sum += rotary_score(*frequencies_, std::span(layer.queries).subspan(head * width, width),
                            std::span(layer.keys).subspan(head * width, width), distance);
      }
      const double mean = layer.scale * sum / (count * count * static_cast<double>(heads));
      series.points.push_back({static_cast<double>(distance), mean});
    }
    result.push_back(std::move(series));
  }
  return result;
}

}  // namespace roformer
