// Attention with its position encoding: rotate q and k in place, attend, and on the way back turn the gradients the
// other way. R is linear, so the transposed rotation is all the backward there is (Eq. 16).
#include <cmath>

#include "ops/internal.h"
#include "ops/projection_gradients.h"

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

int64_t key_heads(const AttentionOptions& options) { return options.kv_heads == 0 ? options.heads : options.kv_heads; }

void check(const AttentionOptions& options, const Columns& q, const Columns& k, const Columns& v) {
  const int64_t heads = options.heads, of_keys = key_heads(options);
  if (heads < 1 || of_keys < 1 || heads % of_keys != 0 || q.count % heads != 0 ||
      k.count != q.count / heads * of_keys || v.count % of_keys != 0) {
    throw ShapeError("attention: {} heads of q {} columns, {} of k {} and v {} columns", heads, q.count, of_keys,
                     k.count, v.count);
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

void check_term(const char* what, const Value& x, int64_t rows, int64_t columns) {
  if (!x.data.defined() || x.data.shape() == Shape{rows, columns}) return;
  throw ShapeError("attention: relative {} is {}, expected [{}, {}]", what, x.data.shape().to_string(), rows, columns);
}

// A slice of columns for each head, or one for all.
void check_table(const char* what, const Value& x, int64_t rows, int64_t columns, int64_t heads) {
  if (x.data.defined() && x.data.shape() == Shape{rows, columns / heads}) return;
  check_term(what, x, rows, columns);
}

void check_frequencies(const AttentionPositions& positions, int64_t queries, int64_t keys) {
  if (!positions.log_frequencies.defined()) return;
  const auto count = static_cast<int64_t>(positions.rotary_positions.size());
  if (positions.query_angles == nullptr || positions.key_angles == nullptr || count != queries || count != keys) {
    throw ShapeError("attention: learned frequencies need angles and {} and {} positions, {} given", queries, keys,
                     count);
  }
}

void check_positions(const AttentionPositions& positions, const AttentionOptions& options, const Columns& q,
                     const Columns& k, const Columns& v) {
  const int64_t heads = options.heads, of_keys = key_heads(options);
  const int64_t queries = q.value.data.rows(), keys = k.value.data.rows();
  check_angles("query", positions.query_angles, queries, q.count / heads);
  check_angles("key", positions.key_angles, keys, k.count / of_keys);
  if (positions.rotate_values) check_angles("key", positions.key_angles, keys, v.count / of_keys);
  check_frequencies(positions, queries, keys);
  const RelativeValues& terms = positions.terms;
  if (!terms.data().any()) return;
  if (terms.clip < 0) throw ShapeError("attention: relative clip is {}", terms.clip);
  const int64_t distances = 2 * terms.clip + 1;
  check_term("bias", terms.bias, distances, heads);
  check_table("query table", terms.query_table, distances, q.count, heads);
  check_table("key table", terms.key_table, distances, q.count, heads);
  check_table("value table", terms.value_table, distances, v.count / of_keys * heads, heads);
  const auto check_count = [](const char* what, std::span<const int32_t> given, int64_t tokens) {
    if (static_cast<int64_t>(given.size()) == tokens) return;
    throw ShapeError("attention: {} {} positions for {} tokens", given.size(), what, tokens);
  };
  check_count("query", terms.query_positions, queries);
  check_count("key", terms.key_positions, keys);
}

void rotate(Backend& backend, const AttentionSpec& spec, const AttentionPositions& positions, const AttentionTensors& x,
            bool transposed) {
  if (positions.query_angles != nullptr) backend.rotate(x.q, spec.heads, *positions.query_angles, transposed);
  if (positions.key_angles != nullptr) backend.rotate(x.k, spec.key_heads(), *positions.key_angles, transposed);
  if (positions.key_angles != nullptr && positions.rotate_values) {
    backend.rotate(x.v, spec.key_heads(), *positions.key_angles, transposed);
  }
}

// Where the gradients of tracked terms are summed up; undefined for constants.
RelativeTerms gradients_of(Backend& backend, const RelativeValues& values) {
  RelativeTerms terms = values.data();
  const auto gradient_of = [&](const Value& value, Tensor& term) {
    if (value.tracked()) start(backend, value.gradient, value.data.shape());
    term = value.tracked() ? *value.gradient : Tensor();
  };
  gradient_of(values.bias, terms.bias);
  gradient_of(values.query_table, terms.query_table);
  gradient_of(values.key_table, terms.key_table);
  gradient_of(values.value_table, terms.value_table);
  return terms;
}

// Of rotated q and k, and their gradients before these are turned back.
void frequencies_backward(Backend& backend, const AttentionSpec& spec, const AttentionPositions& positions,
                          const AttentionTensors& in, const AttentionTensors& gradients) {
  const Parameter& logs = positions.log_frequencies;
  if (!wants_gradient(logs)) return;
  const auto add = [&](const Tensor& x, const Tensor& dx, int64_t heads, const RotaryAngles& angles) {
    backend.rotary_frequencies_backward(x, dx, heads, angles, positions.rotary_positions, logs.value, logs.gradient);
  };
  add(in.q, gradients.q, spec.heads, *positions.query_angles);
  add(in.k, gradients.k, spec.key_heads(), *positions.key_angles);
  if (positions.rotate_values) add(in.v, gradients.v, spec.key_heads(), *positions.key_angles);
}

}  // namespace

Value attention(const Context& context, const AttentionOptions& options, const Columns& q, const Columns& k,
                const Columns& v, const AttentionPositions& positions) {
  Backend& backend = context.backend;
  check(options, q, k, v);
  check_positions(positions, options, q, k, v);
  const int64_t head_dim = q.count / options.heads;
  const double scale = options.scale != 0 ? options.scale : 1 / std::sqrt(static_cast<double>(head_dim));
  const AttentionSpec spec{.heads = options.heads,
                           .kv_heads = options.kv_heads,
                           .scale = scale,
                           .query_offsets = options.query_offsets,
                           .key_offsets = options.key_offsets,
                           .key_limits = options.key_limits,
                           .dropout = options.dropout,
                           .terms = positions.terms.data()};
  const AttentionTensors in{q.data(), k.data(), v.data()};
  rotate(backend, spec, positions, in, false);
  if (context.observer != nullptr) context.observer->observe(spec, in);
  const int64_t queries = q.value.data.rows();
  const Tensor out = backend.empty({queries, v.count * spec.group()}),
               log_sum_exp = backend.empty({options.heads, queries});
  backend.attention(spec, in, out, log_sum_exp);
  const RelativeValues& terms = positions.terms;
  bool tracked = wants_gradient(positions.log_frequencies);
  for (const Value* value :
       {&q.value, &k.value, &v.value, &terms.bias, &terms.query_table, &terms.key_table, &terms.value_table}) {
    tracked = tracked || value->tracked();
  }
  Value result = make_result(context, out, tracked);
  if (!result.tracked()) return result;
  context.tape->record([&backend, spec, in, q, k, v, positions, result, log_sum_exp] {
    if (!result.gradient->defined()) return;
    ProjectionGradients made(backend, {&q, &k, &v});
    const AttentionTensors gradients{made.columns(q), made.columns(k), made.columns(v)};
    backend.attention_backward(spec, in, result.data, log_sum_exp, *result.gradient, gradients,
                               gradients_of(backend, positions.terms));
    frequencies_backward(backend, spec, positions, in, gradients);
    rotate(backend, spec, positions, gradients, true);
    made.accumulate_all();
  });
  return result;
}

}  // namespace roformer
