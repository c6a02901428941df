#include "inference/sentence_steps.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/error.h"
#include "base/overloaded.h"

namespace roformer {

namespace {

// Token vectors and the prompt's share of them.
struct TokenRows {
  const float* values;
  size_t tokens, width, excluded;

  const float* row(size_t token) const { return values + token * width; }
};

// Σ weight(i) · x_i over the tokens that count, divided by scale(Σ weight(i)).
template <class Weight, class Scale>
void append_mean(const TokenRows& rows, Weight weight, Scale scale, std::vector<float>& out) {
  std::vector<double> sums(rows.width);
  double weights = 0;
  for (size_t t = rows.excluded; t < rows.tokens; ++t) {
    const double w = weight(t);
    weights += w;
    for (size_t i = 0; i < rows.width; ++i) sums[i] += w * rows.row(t)[i];
  }
  constexpr double kLeast = 1e-9;  // that library's, where no token counts
  const double divisor = scale(std::max(weights, kLeast));
  for (const double sum : sums) out.push_back(static_cast<float>(sum / divisor));
}

void append_max(const TokenRows& rows, std::vector<float>& out) {
  const size_t begin = out.size();
  out.resize(begin + rows.width, -std::numeric_limits<float>::infinity());
  for (size_t t = rows.excluded; t < rows.tokens; ++t) {
    for (size_t i = 0; i < rows.width; ++i) out[begin + i] = std::max(out[begin + i], rows.row(t)[i]);
  }
}

void append_pooled(const TokenRows& rows, TextPooling mode, std::span<const float> pooler, std::vector<float>& out) {
  const auto one = [](size_t) { return 1.0; };
  const auto itself = [](double sum) { return sum; };
  const auto append_row = [&](const float* row) { out.insert(out.end(), row, row + rows.width); };
  switch (mode) {
    case TextPooling::cls: return append_row(rows.row(rows.excluded < rows.tokens ? rows.excluded : 0));
    case TextPooling::mean: return append_mean(rows, one, itself, out);
    case TextPooling::max: return append_max(rows, out);
    case TextPooling::mean_sqrt_len_tokens:
      return append_mean(
          rows, one, [](double n) { return std::sqrt(n); }, out);
    case TextPooling::weightedmean:
      return append_mean(
          rows, [](size_t t) { return static_cast<double>(t + 1); }, itself, out);
    case TextPooling::lasttoken:
      if (rows.excluded < rows.tokens) return append_row(rows.row(rows.tokens - 1));
      out.insert(out.end(), rows.width, 0.0F);  // no token counts
      return;
    case TextPooling::pooler: out.insert(out.end(), pooler.begin(), pooler.end()); return;
  }
}

double dot(const float* a, const float* b, size_t count) {
  constexpr size_t kLanes = 8;  // sums side by side, so that the compiler uses vectors
  std::array<double, kLanes> sums{};
  size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (size_t lane = 0; lane < kLanes; ++lane) sums[lane] += static_cast<double>(a[i + lane]) * b[i + lane];
  }
  for (; i < count; ++i) sums[0] += static_cast<double>(a[i]) * b[i];
  return std::accumulate(sums.begin(), sums.end(), 0.0);
}

std::vector<float> apply_dense(const DenseStep& step, std::span<const float> x) {
  const DenseWeights& weights = *step.weights;
  const auto inputs = static_cast<size_t>(weights.inputs), outputs = static_cast<size_t>(weights.outputs);
  std::vector<float> result(outputs);
  for (size_t o = 0; o < outputs; ++o) {
    const double sum =
        dot(&weights.weight[o * inputs], x.data(), inputs) + (weights.bias.empty() ? 0 : weights.bias[o]);
    double value = step.activation(sum);
    if (step.residual) {
      value += weights.projection.empty() ? x[o] : dot(&weights.projection[o * inputs], x.data(), inputs);
    }
    result[o] = static_cast<float>(value);
  }
  return result;
}

std::vector<float> apply_layer_norm(const LayerNormStep& step, std::span<const float> x) {
  constexpr double kEpsilon = 1e-5;  // torch.nn.LayerNorm's default
  const auto count = static_cast<double>(x.size());
  double mean = 0, variance = 0;
  for (const float value : x) mean += value / count;
  for (const float value : x) variance += (value - mean) * (value - mean) / count;
  const double scale = 1 / std::sqrt(variance + kEpsilon);
  std::vector<float> result(x.size());
  for (size_t i = 0; i < x.size(); ++i) {
    result[i] = static_cast<float>((x[i] - mean) * scale * step.weight[i] + step.bias[i]);
  }
  return result;
}

// A step on one vector.
std::vector<float> apply_to_vector(const SentenceStep& step, std::span<const float> x) {
  return std::visit(Overloaded{[&](const DenseStep& dense) { return apply_dense(dense, x); },
                               [&](const LayerNormStep& norm) { return apply_layer_norm(norm, x); },
                               [&](const NormalizeStep&) {
                                 std::vector<float> result(x.begin(), x.end());
                                 normalize_vector(result);
                                 return result;
                               },
                               [&](const PoolStep&) { return std::vector<float>(x.begin(), x.end()); }},
                    step.what);
}

int64_t width_after(const SentenceStep& step, int64_t width) {
  if (const auto* dense = std::get_if<DenseStep>(&step.what)) {
    if (dense->weights->inputs != width) {
      throw DataError("a Dense module takes vectors of {} numbers ('{}'), but gets {}", dense->weights->inputs,
                      KeyName("in_features"), width);
    }
    return dense->weights->outputs;
  }
  if (const auto* norm = std::get_if<LayerNormStep>(&step.what); norm != nullptr && std::ssize(norm->weight) != width) {
    throw DataError("a LayerNorm module takes vectors of {} numbers ('{}'), but gets {}", norm->weight.size(),
                    KeyName("dimension"), width);
  }
  return width;
}

}  // namespace

const std::vector<std::string>& pooling_names() {
  static const std::vector<std::string> names = {"cls",          "mean",      "max",   "mean_sqrt_len_tokens",
                                                 "weightedmean", "lasttoken", "pooler"};
  return names;
}

TextPooling parse_pooling(std::string_view name) {
  const auto found = std::ranges::find(pooling_names(), name);
  if (found == pooling_names().end()) {
    throw UsageError("{} \"{}\" is none of {}", FieldName("pooling"), name, fmt::join(pooling_names(), ", "));
  }
  return static_cast<TextPooling>(found - pooling_names().begin());
}

int64_t sentence_width(std::span<const SentenceStep> steps, int64_t hidden) {
  int64_t tokens = hidden, sentence = 0;
  for (const SentenceStep& step : steps) {
    if (const auto* pool = std::get_if<PoolStep>(&step.what)) {
      sentence = 0;
      for (const TextPooling mode : pool->modes) sentence += mode == TextPooling::pooler ? hidden : tokens;
    } else if (step.on_tokens) {
      tokens = width_after(step, tokens);
    } else if (sentence > 0) {
      sentence = width_after(step, sentence);
    } else if (!std::holds_alternative<NormalizeStep>(step.what)) {
      throw DataError("a module of modules.json takes the vector of a text, but no Pooling is before it");
    }
  }
  if (sentence == 0) throw DataError("modules.json has no Pooling");
  return sentence;
}

bool needs_pooler(std::span<const SentenceStep> steps) {
  return std::ranges::any_of(steps, [](const SentenceStep& step) {
    const auto* pool = std::get_if<PoolStep>(&step.what);
    return pool != nullptr && std::ranges::find(pool->modes, TextPooling::pooler) != pool->modes.end();
  });
}

std::vector<float> apply_steps(std::span<const SentenceStep> steps, const TextStates& states) {
  const auto tokens = static_cast<size_t>(states.tokens);
  std::span<const float> rows = states.hidden;
  std::vector<float> changed, sentence;  // `changed`: what `rows` is once a step has changed it
  for (const SentenceStep& step : steps) {
    const size_t width = rows.size() / tokens;
    if (const auto* pool = std::get_if<PoolStep>(&step.what)) {
      const auto prompt = pool->include_prompt ? 0 : static_cast<size_t>(states.prompt_tokens);
      sentence.clear();
      for (const TextPooling mode : pool->modes) {
        append_pooled({rows.data(), tokens, width, std::min(prompt, tokens)}, mode, states.pooler, sentence);
      }
    } else if (step.on_tokens) {
      std::vector<float> next;
      for (size_t t = 0; t < tokens; ++t) {
        const std::vector<float> row = apply_to_vector(step, rows.subspan(t * width, width));
        next.insert(next.end(), row.begin(), row.end());
      }
      changed = std::move(next);
      rows = changed;
    } else if (!sentence.empty()) {
      sentence = apply_to_vector(step, sentence);
    }
  }
  return sentence;
}

void normalize_vector(std::span<float> values) {
  double squares = 0;
  for (const float value : values) squares += static_cast<double>(value) * value;
  if (squares == 0) return;
  const double scale = 1 / std::sqrt(squares);
  for (float& value : values) value = static_cast<float>(value * scale);
}

}  // namespace roformer
