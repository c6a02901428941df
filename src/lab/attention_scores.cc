#include "lab/attention_scores.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace roformer {
namespace {

// Row after row; nothing of an undefined tensor.
std::vector<double> to_doubles(Backend& backend, const Tensor& of_backend) {
  std::vector<double> result;
  if (!of_backend.defined()) return result;
  const Tensor x = backend.to_host(of_backend);
  result.reserve(static_cast<size_t>(x.elements()));
  for (int64_t i = 0; i < x.rows(); ++i) {
    for (int64_t c = 0; c < x.columns(); ++c) {
      result.push_back(x.dtype() == DType::float64 ? x.row<double>(i)[c] : x.row<float>(i)[c]);
    }
  }
  return result;
}

// Rows of keys with one head for each query head: a group's heads get copies, which may be rotated separately.
std::vector<double> repeat_heads(const std::vector<double>& keys, const AttentionSpec& spec, int64_t dim) {
  if (spec.group() == 1) return keys;
  std::vector<double> result;
  result.reserve(keys.size() * static_cast<size_t>(spec.group()));
  for (auto head = keys.begin(); head != keys.end(); head += dim) {
    for (int64_t i = 0; i < spec.group(); ++i) result.insert(result.end(), head, head + dim);
  }
  return result;
}

double dot(std::span<const double> a, std::span<const double> b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

}  // namespace

AttentionScores::AttentionScores(Backend& backend, const AttentionSpec& spec, const AttentionTensors& in)
    : spec_(spec),
      queries_(to_doubles(backend, in.q)),
      keys_(repeat_heads(to_doubles(backend, in.k), spec, in.q.columns() / spec.heads)),
      bias_(to_doubles(backend, spec.terms.bias)),
      query_table_(to_doubles(backend, spec.terms.query_table)),
      key_table_(to_doubles(backend, spec.terms.key_table)),
      tokens_(in.k.rows()),
      width_(in.q.columns()),
      head_width_(width_ / spec.heads) {}

std::span<const double> AttentionScores::table_slice(const std::vector<double>& table, int64_t head,
                                                     int64_t row) const {
  const int64_t columns = std::ssize(table) / (2 * spec_.terms.clip + 1);
  const int64_t begin = row * columns + (columns == head_width_ ? 0 : head * head_width_);
  return {table.data() + begin, static_cast<size_t>(head_width_)};
}

double AttentionScores::at(int64_t head, int64_t i, int64_t j) const {
  const std::span<const double> q = slice(queries_, head, i), k = slice(keys_, head, j);
  double score = dot(q, k);
  const auto capped = [cap = spec_.score_cap](double plain) { return cap == 0 ? plain : cap * std::tanh(plain / cap); };
  if (bias_.empty() && query_table_.empty() && key_table_.empty()) return capped(spec_.scale * score);
  const RelativeTerms& terms = spec_.terms;
  const int64_t distance = static_cast<int64_t>(terms.key_positions[j]) - terms.query_positions[i];
  const int64_t row = std::clamp(distance, -terms.clip, terms.clip) + terms.clip;
  if (!query_table_.empty()) score += dot(q, table_slice(query_table_, head, row));
  if (!key_table_.empty()) score += dot(k, table_slice(key_table_, head, row));
  score *= spec_.scale;
  return capped(bias_.empty() ? score : score + bias_[static_cast<size_t>(row * spec_.heads + head)]);
}

}  // namespace roformer
