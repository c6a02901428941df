// Softmax attention in tiles: a block of queries against a block of keys at a time, with the running maximum and sum of
// Milakov & Gimelshein 2018 and Dao et al. 2022, so that memory is linear in the length. The backward recomputes each
// tile of weights from the saved log-sum-exp. Score terms (RelativeTerms) go to the reference kernels, same memory
// bound.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "backend/cpu/attention.h"
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
  attention_forward(pool_, spec, in, nullptr, nullptr, false, Precision::float32, out, log_sum_exp);
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
