#include "generation/cross_attention.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace roformer {

namespace {

// Adds the softmax of a head's scores, divided by the number of heads.
template <class Real>
void add_head(const AttentionSpec& spec, std::span<const Real> query, const Tensor& keys, int64_t first, int64_t column,
              std::vector<double>& scores, std::span<double> weights) {
  for (size_t j = 0; j < scores.size(); ++j) {
    const Real* key = keys.row<Real>(first + static_cast<int64_t>(j)) + column;
    double sum = 0;
    for (size_t c = 0; c < query.size(); ++c) sum += static_cast<double>(query[c]) * static_cast<double>(key[c]);
    sum *= spec.scale;
    scores[j] = spec.score_cap == 0 ? sum : spec.score_cap * std::tanh(sum / spec.score_cap);
  }
  const double largest = *std::ranges::max_element(scores);
  double total = 0;
  for (double& score : scores) total += score = std::exp(score - largest);
  for (size_t j = 0; j < scores.size(); ++j) weights[j] += scores[j] / total / static_cast<double>(spec.heads);
}

template <class Real>
void look_at_source(const AttentionSpec& spec, const Tensor& queries, const Tensor& keys, size_t source,
                    const CrossAttentionRows::Look& look) {
  const int64_t first = spec.key_offsets[source], count = spec.key_offsets[source + 1] - first;
  if (count == 0) return;
  const int64_t width = queries.columns() / spec.heads;
  std::vector<double> scores(static_cast<size_t>(count)), weights(scores.size());
  for (int64_t row = spec.query_offsets[source]; row < spec.query_offsets[source + 1]; ++row) {
    std::ranges::fill(weights, 0.0);
    for (int64_t head = 0; head < spec.heads; ++head) {
      const std::span query(queries.row<Real>(row) + head * width, static_cast<size_t>(width));
      add_head<Real>(spec, query, keys, first, spec.key_head(head) * width, scores, weights);
    }
    look(source, row, weights);
  }
}

}  // namespace

int64_t alignment_layer(const ModelConfig& config, std::optional<int64_t> chosen) {
  if (!chosen) return (config.layers + 1) / 2 - 1;
  if (*chosen < 1 || *chosen > config.layers) {
    throw UsageError("{} is {}, expected 1 to the decoder's {}", FieldName("alignment_layer"), *chosen, config.layers);
  }
  return *chosen - 1;
}

void CrossAttentionRows::observe(const AttentionSpec& spec, const AttentionTensors& in) {
  if (!spec.key_ends.empty()) return;  // the decoder's own attention is causal
  const int64_t layer = next_;
  next_ = (next_ + 1) % layers_;
  if (layer != layer_) return;
  const Tensor queries = backend_.to_host(in.q), keys = backend_.to_host(in.k);
  backend_.pool().run(std::ssize(spec.query_offsets) - 1, [&](int64_t i) {
    const auto source = static_cast<size_t>(i);
    if (queries.dtype() == DType::float64) {
      look_at_source<double>(spec, queries, keys, source, look_);
    } else {
      look_at_source<float>(spec, queries, keys, source, look_);
    }
  });
}

}  // namespace roformer
