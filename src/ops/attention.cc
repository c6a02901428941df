// Attention with its position encoding: rotate q and k in place, attend, and on the way back turn the gradients the
// other way. R is orthogonal, so the transposed rotation is all the backward there is (Eq. 16).
#include <cmath>
#include <vector>

#include "ops/internal.h"

namespace roformer {

namespace {

void check_limits(const AttentionOptions& options) {
  const std::span<const int32_t> limits = options.key_limits, queries = options.query_offsets;
  if (limits.empty()) return;
  if (static_cast<int64_t>(limits.size()) != queries.back()) {
    throw ShapeError("attention: {} key limits for {} queries", limits.size(), queries.back());
  }
  for (size_t s = 0; s + 1 < queries.size(); ++s) {
    const int32_t keys = options.key_offsets[s + 1] - options.key_offsets[s];
    for (int32_t i = queries[s]; i < queries[s + 1]; ++i) {
      const int32_t limit = limits[static_cast<size_t>(i)];
      if (limit < 0 || limit > keys) {
        throw ShapeError("attention: the key limit {} of query {} is outside 0..{}", limit, i, keys);
      }
    }
  }
}

void check(const AttentionOptions& options, const Columns& q, const Columns& k, const Columns& v) {
  if (options.heads < 1 || q.count % options.heads != 0 || q.count != k.count || v.count % options.heads != 0) {
    throw ShapeError("attention: {} heads of q {}, k {}, v {} columns", options.heads, q.count, k.count, v.count);
  }
  check_rows("attention", "value", v.value.data, k.value.data.rows());
  check_offsets("attention", "query", options.query_offsets, q.value.data.rows());
  check_offsets("attention", "key", options.key_offsets, k.value.data.rows());
  if (options.query_offsets.size() != options.key_offsets.size()) {
    throw ShapeError("attention: {} query sequences, {} key sequences", options.query_offsets.size() - 1,
                     options.key_offsets.size() - 1);
  }
  check_limits(options);
}

void check_angles(const char* what, const RotaryAngles* angles, int64_t tokens, int64_t head_dim) {
  if (angles == nullptr) return;
  if (static_cast<int64_t>(angles->row.size()) != tokens) {
    throw ShapeError("attention: {} {} angles for {} tokens", angles->row.size(), what, tokens);
  }
  if (angles->dim > head_dim) {
    throw ShapeError("attention: rotates {} elements of heads of {}", angles->dim, head_dim);
  }
}

void check_term(const char* what, const Tensor& x, int64_t rows, int64_t columns) {
  if (!x.defined() || x.shape() == Shape{rows, columns}) return;
  throw ShapeError("attention: relative {} is {}, expected [{}, {}]", what, x.shape().to_string(), rows, columns);
}

void check_positions(const AttentionPositions& positions, int64_t heads, const Columns& q, const Columns& k,
                     const Columns& v) {
  const int64_t queries = q.value.data.rows(), keys = k.value.data.rows();
  check_angles("query", positions.query_angles, queries, q.count / heads);
  check_angles("key", positions.key_angles, keys, k.count / heads);
  if (positions.rotate_values) check_angles("key", positions.key_angles, keys, v.count / heads);
  if (!positions.terms.any()) return;
  if (positions.terms.clip < 0) throw ShapeError("attention: relative clip is {}", positions.terms.clip);
  for (const RelativeTerms* terms : {&positions.terms, &positions.dterms}) {
    const int64_t distances = 2 * positions.terms.clip + 1;
    check_term("bias", terms->bias, heads, distances);
    check_term("query table", terms->query_table, distances, q.count);
    check_term("key table", terms->key_table, distances, k.count);
    check_term("value table", terms->value_table, distances, v.count);
  }
  const auto check_count = [](const char* what, std::span<const int32_t> given, int64_t tokens) {
    if (static_cast<int64_t>(given.size()) == tokens) return;
    throw ShapeError("attention: {} {} positions for {} tokens", given.size(), what, tokens);
  };
  check_count("query", positions.terms.query_positions, queries);
  check_count("key", positions.terms.key_positions, keys);
}

void rotate(Backend& backend, int64_t heads, const AttentionPositions& positions, const AttentionTensors& x,
            bool transposed) {
  if (positions.query_angles != nullptr) backend.rotate(x.q, heads, *positions.query_angles, transposed);
  if (positions.key_angles != nullptr) backend.rotate(x.k, heads, *positions.key_angles, transposed);
  if (positions.key_angles != nullptr && positions.rotate_values) {
    backend.rotate(x.v, heads, *positions.key_angles, transposed);
  }
}

// The gradient tensor of a projection: one for all column ranges of it.
Tensor gradient_columns(Backend& backend, std::vector<std::pair<const Tensor*, Tensor>>& made, const Columns& columns) {
  if (!columns.value.tracked()) return backend.empty({columns.value.data.rows(), columns.count});
  for (const auto& [slot, tensor] : made) {
    if (slot == columns.value.gradient.get()) return tensor.column_range(columns.begin, columns.count);
  }
  made.emplace_back(columns.value.gradient.get(), backend.empty(columns.value.data.shape()));
  return made.back().second.column_range(columns.begin, columns.count);
}

}  // namespace

Value attention(const Context& context, const AttentionOptions& options, const Columns& q, const Columns& k,
                const Columns& v, const AttentionPositions& positions) {
  Backend& backend = context.backend;
  check(options, q, k, v);
  check_positions(positions, options.heads, q, k, v);
  const int64_t head_dim = q.count / options.heads;
  const double scale = options.scale != 0 ? options.scale : 1 / std::sqrt(static_cast<double>(head_dim));
  const AttentionSpec spec{.heads = options.heads,
                           .scale = scale,
                           .query_offsets = options.query_offsets,
                           .key_offsets = options.key_offsets,
                           .key_limits = options.key_limits,
                           .dropout = options.dropout,
                           .terms = positions.terms};
  const AttentionTensors in{q.data(), k.data(), v.data()};
  rotate(backend, options.heads, positions, in, false);
  if (context.observer != nullptr) context.observer->observe(spec, in);
  const int64_t queries = q.value.data.rows();
  const Tensor out = backend.empty({queries, v.count}), log_sum_exp = backend.empty({options.heads, queries});
  backend.attention(spec, in, out, log_sum_exp);
  Value result = make_result(context, out, q.value.tracked() || k.value.tracked() || v.value.tracked());
  if (!result.tracked()) return result;
  context.tape->record([&backend, spec, in, q, k, v, positions, result, log_sum_exp] {
    if (!result.gradient->defined()) return;
    std::vector<std::pair<const Tensor*, Tensor>> made;
    const Tensor dq = gradient_columns(backend, made, q), dk = gradient_columns(backend, made, k);
    const AttentionTensors gradients{dq, dk, gradient_columns(backend, made, v)};
    backend.attention_backward(spec, in, result.data, log_sum_exp, *result.gradient, gradients, positions.dterms);
    rotate(backend, spec.heads, positions, gradients, true);
    for (const Columns* columns : {&q, &k, &v}) {
      for (auto& [slot, tensor] : made) {
        if (slot != columns->value.gradient.get() || !tensor.defined()) continue;
        accumulate(backend, columns->value.gradient, std::move(tensor));
        tensor = Tensor();
      }
    }
  });
  return result;
}

}  // namespace roformer
