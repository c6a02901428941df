// Softmax attention in tiles: a block of queries against a block of keys at a time, with the running maximum and sum of
// Milakov & Gimelshein 2018 and Dao et al. 2022, so that memory is linear in the length. The backward recomputes each
// tile of weights from the saved log-sum-exp. Score terms (RelativeTerms) go to the reference kernels, same memory
// bound.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/gemm.h"
#include "backend/cpu/rows.h"

namespace roformer {

namespace {

constexpr int64_t kQueries = 128, kKeys = 256;  // tile sizes: fixed, so that results depend on shapes only

// Where a task works: one head of one sequence.
struct Place {
  int64_t head, q_begin, q_end, k_begin, k_end;

  Place(const AttentionSpec& spec, int64_t sequence, int64_t head_index)
      : head(head_index),
        q_begin(spec.query_offsets[static_cast<size_t>(sequence)]),
        q_end(spec.query_offsets[static_cast<size_t>(sequence) + 1]),
        k_begin(spec.key_offsets[static_cast<size_t>(sequence)]),
        k_end(spec.key_offsets[static_cast<size_t>(sequence) + 1]) {}
};

// Which keys the queries q0 … q0 + queries − 1 see: their tiles end where the last key that any of them sees does, so
// that causal attention costs half.
class Visible {
 public:
  Visible(const AttentionSpec& spec, const Place& place, int64_t q0, int64_t queries)
      : spec_(spec), place_(place), q0_(q0) {
    int64_t most = 0;
    for (int64_t i = 0; i < queries; ++i) most = std::max(most, seen(i));
    end = place.k_begin + most;
  }

  // Of `keys` keys from k0 on, how many query q0 + i sees: the first ones.
  int64_t in_tile(int64_t i, int64_t k0, int64_t keys) const {
    return std::clamp<int64_t>(seen(i) - (k0 - place_.k_begin), 0, keys);
  }

  int64_t end;  // of the keys any of them sees

 private:
  int64_t seen(int64_t i) const { return spec_.keys_seen(q0_ + i, place_.k_end - place_.k_begin); }

  const AttentionSpec& spec_;
  const Place& place_;
  int64_t q0_;
};

Matrix slice(const Tensor& x, int64_t row, int64_t column, bool transposed = false) {
  return {x.row<float>(row) + column, x.row_stride(), transposed};
}

// The survivors' factors of one row of a tile; tiles start at multiples of kKeys, so at multiples of 64.
void draw_factors(const AttentionSpec& spec, const Place& place, int64_t query, int64_t key, int64_t keys,
                  float* factors) {
  const auto row = static_cast<uint32_t>(place.head * spec.query_offsets.back() + query);
  rows::dropout_factors(spec.dropout, row, key - place.k_begin, keys, factors);
}

void forward_block(const AttentionSpec& spec, const AttentionTensors& in, const Place& place, int64_t q0,
                   const Tensor& out, const Tensor& log_sum_exp) {
  const int64_t dim = in.q.columns() / spec.heads, column = place.head * dim;
  const int64_t value_dim = in.v.columns() / spec.heads, value_column = place.head * value_dim;
  const int64_t queries = std::min(kQueries, place.q_end - q0);
  const Visible visible(spec, place, q0, queries);
  std::vector<float> scores(static_cast<size_t>(queries * std::min(kKeys, visible.end - place.k_begin)));
  std::vector<float> largest(static_cast<size_t>(queries), -std::numeric_limits<float>::infinity());
  std::vector<float> sums(static_cast<size_t>(queries), 0.0f);
  float factors[kKeys];
  for (int64_t i = 0; i < queries; ++i) std::fill_n(out.row<float>(q0 + i) + value_column, value_dim, 0.0f);
  for (int64_t k0 = place.k_begin; k0 < visible.end; k0 += kKeys) {
    const int64_t keys = std::min(kKeys, visible.end - k0);
    gemm(queries, keys, dim, static_cast<float>(spec.scale), slice(in.q, q0, column), slice(in.k, k0, column, true), 0,
         scores.data(), keys);
    for (int64_t i = 0; i < queries; ++i) {
      float* row = scores.data() + i * keys;
      float& top = largest[static_cast<size_t>(i)];
      float& sum = sums[static_cast<size_t>(i)];
      const int64_t seen = visible.in_tile(i, k0, keys);
      std::fill(row + seen, row + keys, 0.0f);
      if (seen == 0) continue;
      const float new_top = std::max(top, rows::maximum(row, seen));
      const float shrink = std::exp(top - new_top);  // 0 in the first tile
      sum = sum * shrink + rows::exp_sum(row, new_top, seen);
      if (k0 > place.k_begin) rows::scale(out.row<float>(q0 + i) + value_column, shrink, value_dim);
      top = new_top;
      if (spec.dropout.active()) {
        draw_factors(spec, place, q0 + i, k0, seen, factors);
        rows::multiply(row, factors, row, seen);
      }
    }
    gemm(queries, value_dim, keys, 1, {scores.data(), keys, false}, slice(in.v, k0, value_column), 1,
         out.row<float>(q0) + value_column, out.row_stride());
  }
  for (int64_t i = 0; i < queries; ++i) {
    const float sum = sums[static_cast<size_t>(i)];
    if (sum > 0) rows::scale(out.row<float>(q0 + i) + value_column, 1.0f / sum, value_dim);
    log_sum_exp.row<float>(place.head)[q0 + i] = largest[static_cast<size_t>(i)] + std::log(sum);
  }
}

// Where packing for matrix products would cost more than the products, and a tile's allocations, too.
bool is_short(const AttentionSpec& spec, const Place& place) {
  constexpr int64_t kShort = 64;
  const int64_t keys = place.k_end - place.k_begin;
  return keys > 0 && keys <= kShort && !spec.dropout.active();
}

// All heads of a short sequence.
void forward_short(const AttentionSpec& spec, const AttentionTensors& in, const Place& place, const Tensor& out,
                   const Tensor& log_sum_exp) {
  const int64_t dim = in.q.columns() / spec.heads, value_dim = in.v.columns() / spec.heads;
  const int64_t keys = place.k_end - place.k_begin, queries = place.q_end - place.q_begin;
  std::vector<float> room(static_cast<size_t>(rows::short_attention_room(keys, dim, value_dim)));
  for (int64_t head = 0; head < spec.heads; ++head) {
    rows::short_attention({.q = in.q.row<float>(place.q_begin) + head * dim,
                           .k = in.k.row<float>(place.k_begin) + head * dim,
                           .v = in.v.row<float>(place.k_begin) + head * value_dim,
                           .q_stride = in.q.row_stride(),
                           .k_stride = in.k.row_stride(),
                           .v_stride = in.v.row_stride(),
                           .queries = queries,
                           .keys = keys,
                           .dim = dim,
                           .value_dim = value_dim,
                           .scale = static_cast<float>(spec.scale),
                           .key_limits = spec.key_limits.empty() ? nullptr : spec.key_limits.data() + place.q_begin,
                           .out = out.row<float>(place.q_begin) + head * value_dim,
                           .out_stride = out.row_stride(),
                           .log_sum_exp = log_sum_exp.row<float>(head) + place.q_begin,
                           .room = room.data()});
  }
}

// All gradients of one head of one sequence; tiles in a fixed order, so sums are, too.
void backward_head(const AttentionSpec& spec, const AttentionTensors& in, const Place& place, const Tensor& out,
                   const Tensor& log_sum_exp, const Tensor& dout, const AttentionTensors& gradients) {
  const int64_t dim = in.q.columns() / spec.heads, column = place.head * dim;
  const int64_t value_dim = in.v.columns() / spec.heads, value_column = place.head * value_dim;
  const float scale = static_cast<float>(spec.scale);
  for (int64_t q = place.q_begin; q < place.q_end; ++q) std::fill_n(gradients.q.row<float>(q) + column, dim, 0.0f);
  for (int64_t k = place.k_begin; k < place.k_end; ++k) {
    std::fill_n(gradients.k.row<float>(k) + column, dim, 0.0f);
    std::fill_n(gradients.v.row<float>(k) + value_column, value_dim, 0.0f);
  }
  std::vector<float> weights(static_cast<size_t>(kQueries * kKeys)), dropped, dweights(weights.size());
  float factors[kKeys];
  if (spec.dropout.active()) dropped.resize(weights.size());
  for (int64_t q0 = place.q_begin; q0 < place.q_end; q0 += kQueries) {
    const int64_t queries = std::min(kQueries, place.q_end - q0);
    const Visible visible(spec, place, q0, queries);
    for (int64_t k0 = place.k_begin; k0 < visible.end; k0 += kKeys) {
      const int64_t keys = std::min(kKeys, visible.end - k0);
      gemm(queries, keys, dim, scale, slice(in.q, q0, column), slice(in.k, k0, column, true), 0, weights.data(), keys);
      gemm(queries, keys, value_dim, 1, slice(dout, q0, value_column), slice(in.v, k0, value_column, true), 0,
           dweights.data(), keys);
      const float* value_weights = weights.data();
      for (int64_t i = 0; i < queries; ++i) {
        float* row = weights.data() + i * keys;
        float* drow = dweights.data() + i * keys;
        const int64_t seen = visible.in_tile(i, k0, keys);
        std::fill(row + seen, row + keys, 0.0f);
        rows::exp_sum(row, log_sum_exp.row<float>(place.head)[q0 + i], seen);
        if (spec.dropout.active()) {
          draw_factors(spec, place, q0 + i, k0, keys, factors);
          rows::multiply(drow, factors, drow, keys);
          rows::multiply(row, factors, dropped.data() + i * keys, keys);
          value_weights = dropped.data();
        }
      }
      gemm(keys, value_dim, queries, 1, {value_weights, keys, true}, slice(dout, q0, value_column), 1,
           gradients.v.row<float>(k0) + value_column, gradients.v.row_stride());
      for (int64_t i = 0; i < queries; ++i) {
        // Σ_j p_ij dp_ij = dout·out, also under dropout (Dao et al. 2022, appendix B).
        const float delta =
            rows::dot(dout.row<float>(q0 + i) + value_column, out.row<float>(q0 + i) + value_column, value_dim);
        rows::softmax_backward(weights.data() + i * keys, dweights.data() + i * keys, delta, scale, keys);
      }
      gemm(queries, dim, keys, 1, {dweights.data(), keys, false}, slice(in.k, k0, column), 1,
           gradients.q.row<float>(q0) + column, gradients.q.row_stride());
      gemm(keys, dim, queries, 1, {dweights.data(), keys, true}, slice(in.q, q0, column), 1,
           gradients.k.row<float>(k0) + column, gradients.k.row_stride());
    }
  }
}

}  // namespace

void CpuBackend::attention(const AttentionSpec& spec, const AttentionTensors& in, const Tensor& out,
                           const Tensor& log_sum_exp) {
  if (spec.terms.any()) return make_reference_backend(pool_)->attention(spec, in, out, log_sum_exp);
  constexpr int64_t kAllHeads = -1;
  struct Task {
    int64_t sequence, head, query;
  };
  std::vector<Task> tasks;
  for (int64_t s = 0; s + 1 < static_cast<int64_t>(spec.query_offsets.size()); ++s) {
    const Place place(spec, s, 0);
    if (is_short(spec, place) && place.q_begin < place.q_end) {
      tasks.push_back({s, kAllHeads, place.q_begin});
      continue;
    }
    for (int64_t head = 0; head < spec.heads; ++head) {
      for (int64_t q = place.q_begin; q < place.q_end; q += kQueries) tasks.push_back({s, head, q});
    }
  }
  pool_.run(static_cast<int64_t>(tasks.size()), [&](int64_t i) {
    const Task& task = tasks[static_cast<size_t>(i)];
    if (task.head == kAllHeads) return forward_short(spec, in, Place(spec, task.sequence, 0), out, log_sum_exp);
    forward_block(spec, in, Place(spec, task.sequence, task.head), task.query, out, log_sum_exp);
  });
}

void CpuBackend::attention_backward(const AttentionSpec& spec, const AttentionTensors& in, const Tensor& out,
                                    const Tensor& log_sum_exp, const Tensor& dout, const AttentionTensors& gradients,
                                    const RelativeTerms& dterms) {
  if (spec.terms.any()) {
    return make_reference_backend(pool_)->attention_backward(spec, in, out, log_sum_exp, dout, gradients, dterms);
  }
  const int64_t sequences = static_cast<int64_t>(spec.query_offsets.size()) - 1;
  pool_.run(sequences * spec.heads, [&](int64_t task) {
    backward_head(spec, in, Place(spec, task / spec.heads, task % spec.heads), out, log_sum_exp, dout, gradients);
  });
}

}  // namespace roformer
