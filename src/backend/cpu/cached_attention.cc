// Attention of a few new tokens over the key-value cache. It is bound by memory: keys and values are read once, row by
// row with all heads, in blocks of rows, each a task. A block yields the maximum score, the sum of weights and the
// weighted values of each head; these are combined in block order (Milakov & Gimelshein 2018), so that a result depends
// only on its sequence.
#include <algorithm>
#include <cmath>
#include <limits>

#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/rows/rows.h"

namespace roformer {
namespace {

constexpr int64_t kBlockRows = 64;
// With more new tokens in a sequence, the tiles of ordinary attention are used.
constexpr int64_t kMaxQueries = 16;

// Partial results of a block of rows for a query: maximum score and sum of weights per head, then the values.
class BlockedAttention {
 public:
  BlockedAttention(const CachedSpec& spec, const Tensor& q, const Tensor& out) : spec_(spec), q_(q), out_(out) {
    head_dim_ = q.columns() / spec.heads;
    value_dim_ = out.columns() / spec.heads;
    int64_t first_key = 0;
    for (size_t s = 0; s < spec.keys.size(); ++s) {
      const int64_t keys = spec.keys[s].rows(), queries = spec.query_offsets[s + 1] - spec.query_offsets[s];
      const int64_t count = queries == 0 ? 0 : ceil_div(keys, kBlockRows);
      sequences_.push_back({.first_block = blocks(), .first_part = parts_, .first_key = first_key, .blocks = count});
      for (int64_t b = 0; b < count; ++b) sequence_of_.push_back(static_cast<int32_t>(s));
      parts_ += count * queries;
      first_key += keys;
    }
  }

  int64_t blocks() const { return std::ssize(sequence_of_); }
  int64_t parts() const { return parts_; }
  int64_t part_floats() const { return spec_.heads * (2 + value_dim_); }

  void block(int64_t index, float* parts) const {
    const auto s = static_cast<size_t>(sequence_of_[static_cast<size_t>(index)]);
    const Sequence& sequence = sequences_[s];
    const int64_t begin = (index - sequence.first_block) * kBlockRows;
    const int32_t first = spec_.query_offsets[s], last = spec_.query_offsets[s + 1];
    for (int32_t t = first; t < last; ++t) {
      const auto query = static_cast<size_t>(t);
      const int64_t end = std::min<int64_t>(spec_.key_ends[query], begin + kBlockRows);
      const int64_t from = spec_.key_starts.empty() ? begin : std::max<int64_t>(begin, spec_.key_starts[query]);
      const int64_t part = sequence.first_part + (t - first) * sequence.blocks + index - sequence.first_block;
      one_query(s, t, from, std::max<int64_t>(0, end - from), parts + part * part_floats());
    }
  }

  // Combines the blocks of query t of sequence s in order.
  void combine(size_t s, int32_t t, const float* parts) const {
    const Sequence& sequence = sequences_[s];
    const int64_t first = sequence.first_part + (t - spec_.query_offsets[s]) * sequence.blocks;
    float* const out = out_.row<float>(t);
    std::fill_n(out, out_.columns(), 0.0f);
    for (int64_t h = 0; h < spec_.heads; ++h) {
      float largest = -std::numeric_limits<float>::infinity(), total = 0;
      for (int64_t b = 0; b < sequence.blocks; ++b) {
        const float* const part = parts + (first + b) * part_floats();
        if (part[spec_.heads + h] != 0) largest = std::max(largest, part[h]);
      }
      float* const sums = out + h * value_dim_;
      for (int64_t b = 0; b < sequence.blocks; ++b) {
        const float* const part = parts + (first + b) * part_floats();
        if (part[spec_.heads + h] == 0) continue;
        const float factor = std::exp(part[h] - largest);
        total += factor * part[spec_.heads + h];
        const float* const values = part + 2 * spec_.heads + h * value_dim_;
        for (int64_t c = 0; c < value_dim_; ++c) sums[c] += factor * values[c];
      }
      if (total != 0) rows::scale(sums, 1 / total, value_dim_);
    }
  }

 private:
  struct Sequence {
    int64_t first_block, first_part, first_key, blocks;
  };

  void one_query(size_t s, int32_t t, int64_t begin, int64_t seen, float* part) const {
    thread_local std::vector<float> scores;
    const int64_t heads = spec_.heads, group = heads / spec_.key_heads;
    std::fill_n(part, 2 * heads, 0.0f);
    if (seen == 0) return;
    scores.resize(static_cast<size_t>(heads * kBlockRows));
    const Tensor &keys = spec_.keys[s], &values = spec_.values[s];
    rows::key_scores(q_.row<float>(t), keys.row<float>(begin), keys.row_stride(), seen, heads, group, head_dim_,
                     static_cast<float>(spec_.scale), scores.data(), kBlockRows);
    if (spec_.terms.bias.defined()) add_bias(s, t, begin, seen, scores.data());
    for (int64_t h = 0; h < heads; ++h) {
      float* const of_head = scores.data() + h * kBlockRows;
      if (spec_.score_cap != 0) cap(of_head, seen);
      part[h] = rows::maximum(of_head, seen);
      part[heads + h] = rows::exp_sum(of_head, part[h], seen);
    }
    rows::weighted_values(scores.data(), kBlockRows, values.row<float>(begin), values.row_stride(), seen, heads, group,
                          value_dim_, part + 2 * heads);
  }

  void cap(float* scores, int64_t count) const {
    const auto limit = static_cast<float>(spec_.score_cap);
    for (int64_t j = 0; j < count; ++j) scores[j] = limit * std::tanh(scores[j] / limit);
  }

  void add_bias(size_t s, int32_t t, int64_t begin, int64_t seen, float* scores) const {
    const RelativeTerms& terms = spec_.terms;
    const int64_t query = terms.query_positions[static_cast<size_t>(t)];
    for (int64_t j = 0; j < seen; ++j) {
      const int64_t key = terms.key_positions[static_cast<size_t>(sequences_[s].first_key + begin + j)];
      const float* const bias = terms.bias.row<float>(std::clamp(key - query, -terms.clip, terms.clip) + terms.clip);
      for (int64_t h = 0; h < spec_.heads; ++h) scores[h * kBlockRows + j] += bias[h];
    }
  }

  const CachedSpec& spec_;
  const Tensor &q_, &out_;
  int64_t head_dim_ = 0, value_dim_ = 0, parts_ = 0;
  std::vector<Sequence> sequences_;
  std::vector<int32_t> sequence_of_;  // of each block
};

bool few_queries(const CachedSpec& spec) {
  for (size_t s = 0; s < spec.keys.size(); ++s) {
    if (spec.query_offsets[s + 1] - spec.query_offsets[s] > kMaxQueries) return false;
  }
  return true;
}

}  // namespace

void CpuBackend::cached_attention(const CachedSpec& spec, const Tensor& q, const Tensor& out) {
  const RelativeTerms& terms = spec.terms;
  const bool tables = terms.query_table.defined() || terms.key_table.defined() || terms.value_table.defined();
  if (tables || !few_queries(spec)) return Backend::cached_attention(spec, q, out);
  double elements = 0;
  for (size_t s = 0; s < spec.keys.size(); ++s) {
    elements += static_cast<double>(spec.keys[s].elements() + spec.values[s].elements());
  }
  const ScopedTimer timed(profile(), "attention to cached keys", 0, sizeof(float) * elements);
  const BlockedAttention attention(spec, q, out);
  const Tensor parts = empty({1, std::max<int64_t>(1, attention.parts() * attention.part_floats())});
  // Blocks of small models are too little work for a task each.
  constexpr int64_t kFloats = 1 << 14;
  const int64_t row_floats = std::max<int64_t>(1, q.columns() / spec.heads * spec.key_heads);
  const int64_t chunk = std::max<int64_t>(1, kFloats / (kBlockRows * row_floats));
  for_chunks(pool_, attention.blocks(), chunk, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) attention.block(i, parts.data<float>());
  });
  pool_.run(std::ssize(spec.keys), [&](int64_t s) {
    for (int32_t t = spec.query_offsets[s]; t < spec.query_offsets[s + 1]; ++t) {
      attention.combine(static_cast<size_t>(s), t, parts.data<float>());
    }
  });
}

}  // namespace roformer
