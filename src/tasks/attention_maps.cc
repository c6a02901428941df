#include "tasks/attention_maps.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <span>

#include "base/error.h"
#include "position/decay.h"

namespace roformer {
namespace {

std::vector<double> to_doubles(const Tensor& x) {
  std::vector<double> result;
  result.reserve(static_cast<size_t>(x.elements()));
  for (int64_t i = 0; x.defined() && i < x.rows(); ++i) {
    for (int64_t c = 0; c < x.columns(); ++c) {
      result.push_back(x.dtype() == DType::float64 ? x.row<double>(i)[c] : x.row<float>(i)[c]);
    }
  }
  return result;
}

// What one attention is given, for a batch of one sequence.
class Scores {
  template <class Vector>
  auto slice(Vector& rows, int64_t head, int64_t row) const {
    return std::span(rows).subspan(static_cast<size_t>(row * width_ + head * head_width_),
                                   static_cast<size_t>(head_width_));
  }

 public:
  Scores(const AttentionSpec& spec, const AttentionTensors& in)
      : spec_(spec),
        queries_(to_doubles(in.q)),
        keys_(to_doubles(in.k)),
        tokens_(in.k.rows()),
        width_(in.k.columns()),
        head_width_(width_ / spec.heads) {
    if (!spec.terms.any()) return;
    if (spec.terms.bias.defined()) bias_ = to_doubles(spec.terms.bias);
    if (spec.terms.query_table.defined()) query_table_ = to_doubles(spec.terms.query_table);
    if (spec.terms.key_table.defined()) key_table_ = to_doubles(spec.terms.key_table);
  }

  int64_t tokens() const { return tokens_; }
  int64_t heads() const { return spec_.heads; }
  double scale() const { return spec_.scale; }
  std::span<double> query(int64_t head, int64_t i) { return slice(queries_, head, i); }
  std::span<double> key(int64_t head, int64_t j) { return slice(keys_, head, j); }

  // As RelativeTerms (backend.h) says.
  double at(int64_t head, int64_t i, int64_t j) const {
    const auto q = slice(queries_, head, i), k = slice(keys_, head, j);
    const double product = dot(q, k);
    if (!spec_.terms.any()) return spec_.scale * product;
    const auto& terms = spec_.terms;
    const int64_t distance = static_cast<int64_t>(terms.key_positions[j]) - terms.query_positions[i];
    const int64_t row = std::clamp(distance, -terms.clip, terms.clip) + terms.clip;
    double score = product;
    if (!query_table_.empty()) score += dot(q, slice(query_table_, head, row));
    if (!key_table_.empty()) score += dot(k, slice(key_table_, head, row));
    score *= spec_.scale;
    return bias_.empty() ? score : score + bias_[static_cast<size_t>(head * (2 * terms.clip + 1) + row)];
  }

 private:
  static double dot(std::span<const double> a, std::span<const double> b) {
    return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
  }

  const AttentionSpec& spec_;
  std::vector<double> queries_, keys_, bias_, query_table_, key_table_;
  int64_t tokens_, width_, head_width_;
};

// Runs the trunk on one text and shows `look` the scores of layer 0, 1, …
void run_observed(const Model& model, const Encoding& encoding, const std::function<void(int64_t, Scores&)>& look) {
  struct Observer final : AttentionObserver {
    explicit Observer(const std::function<void(int64_t, Scores&)>& function) : look(function) {}
    void observe(const AttentionSpec& spec, const AttentionTensors& in) override {
      Scores scores(spec, in);
      look(layer++, scores);
    }
    const std::function<void(int64_t, Scores&)>& look;
    int64_t layer = 0;
  };
  Batch batch;
  batch.append(encoding.ids, encoding.segment_ids);
  Observer observer(look);
  model.encoder().forward({.backend = model.backend(), .observer = &observer}, batch);
}

HeatMap softmax_of(const Scores& scores, int64_t head) {
  const int64_t tokens = scores.tokens();
  HeatMap map{tokens, tokens, {}};
  std::vector<double> row(static_cast<size_t>(tokens));
  for (int64_t i = 0; i < tokens; ++i) {
    for (int64_t j = 0; j < tokens; ++j) row[static_cast<size_t>(j)] = scores.at(head, i, j);
    const double largest = *std::max_element(row.begin(), row.end());
    double sum = 0;
    for (double& value : row) sum += value = std::exp(value - largest);
    for (const double value : row) map.values.push_back(static_cast<float>(value / sum));
  }
  return map;
}

}  // namespace

AttentionMaps attention_maps(const Model& model, const Tokenizer& tokenizer, const std::string& text) {
  constexpr int64_t kMostCells = 16'000'000;
  const Encoding encoding = tokenizer.encode(text);
  const auto count = static_cast<int64_t>(encoding.ids.size());
  if (count > kMaxMapTokens) {
    throw DataError("the text has {} tokens; attention maps take at most {}: give a shorter one", count, kMaxMapTokens);
  }
  const int64_t maps = model.config().layers * model.config().heads;
  if (maps * count * count > kMostCells) {
    throw DataError("{} heads of {} × {} cells are too many to draw; give a text of at most {} tokens", maps, count,
                    count, static_cast<int64_t>(std::sqrt(kMostCells / maps)));
  }
  AttentionMaps result;
  for (const int32_t id : encoding.ids) result.tokens.push_back(tokenizer.token(id));
  run_observed(model, encoding, [&](int64_t, Scores& scores) {
    auto& heads = result.heads.emplace_back();
    for (int64_t head = 0; head < scores.heads(); ++head) heads.push_back(softmax_of(scores, head));
  });
  return result;
}

ScoresByDistance::ScoresByDistance(const Model& model, const Tokenizer& tokenizer)
    : model_(model), tokenizer_(tokenizer), pairs_(2 * kReach + 1) {
  const auto hidden = static_cast<size_t>(model.config().hidden);
  const Layer empty{std::vector<double>(2 * kReach + 1), std::vector<double>(hidden), std::vector<double>(hidden), 0};
  layers_.assign(static_cast<size_t>(model.config().layers), empty);
}

void ScoresByDistance::add(const std::string& text) {
  int64_t most = kMaxTokens;
  if (std::holds_alternative<LearnedPosition>(model_.config().position)) {
    most = std::min(most, model_.config().max_positions);
  }
  Encoding encoding = tokenizer_.encode(text);
  if (static_cast<int64_t>(encoding.ids.size()) > most) {
    encoding = tokenizer_.encode(text, std::nullopt, most);
    ++shortened_;
  }
  const auto tokens = static_cast<int64_t>(encoding.ids.size());
  const auto in_reach = [&](int64_t i) {
    return std::pair{std::max<int64_t>(0, i - kReach), std::min(tokens, i + kReach + 1)};
  };
  for (int64_t i = 0; i < tokens; ++i) {
    const auto [begin, end] = in_reach(i);
    for (int64_t j = begin; j < end; ++j) pairs_[static_cast<size_t>(j - i + kReach)] += 1;
  }
  const auto* rotary = std::get_if<RotaryPosition>(&model_.config().position);
  run_observed(model_, encoding, [&](int64_t number, Scores& scores) {
    Layer& layer = layers_[static_cast<size_t>(number)];
    layer.scale = scores.scale();
    const auto heads = scores.heads();
    for (int64_t head = 0; head < heads; ++head) {
      for (int64_t i = 0; i < tokens; ++i) {
        const auto [begin, end] = in_reach(i);
        for (int64_t j = begin; j < end; ++j) {
          layer.sums[static_cast<size_t>(j - i + kReach)] += scores.at(head, i, j) / static_cast<double>(heads);
        }
      }
      if (rotary == nullptr) continue;
      const RotaryFrequencies frequencies(rotary->rotary);
      for (int64_t i = 0; i < tokens; ++i) {
        for (const auto& [vector, sums] :
             {std::pair{scores.query(head, i), &layer.queries}, std::pair{scores.key(head, i), &layer.keys}}) {
          rotate(vector, frequencies, i, RotaryDirection::transposed);
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
    for (size_t i = 0; i < pairs_.size(); ++i) {
      if (pairs_[i] == 0 || pairs_[i] < pairs_[kReach] / 100) continue;
      series.points.push_back({static_cast<double>(i) - kReach, layers_[number].sums[i] / pairs_[i]});
    }
    result.push_back(std::move(series));
  }
  return result;
}

std::vector<PlotSeries> ScoresByDistance::of_means() const {
  const auto* rotary = std::get_if<RotaryPosition>(&model_.config().position);
  if (rotary == nullptr || tokens_ == 0) return {};
  const RotaryFrequencies frequencies(rotary->rotary);
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
        sum += rotary_score(frequencies, std::span(layer.queries).subspan(head * width, width),
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
