// Attention with its position encoding: rotate q and k in place, attend; the backward rotates the gradients back. R is
// linear, so its backward is the transposed rotation (Eq. 16).
#include <algorithm>
#include <cmath>

#include "ops/internal.h"
#include "ops/projection_gradients.h"

namespace roformer {

namespace {

// Checks per-query key counts, key_ends or key_starts.
void check_limits(const AttentionOptions& options, const char* what, std::span<const int32_t> limits) {
  const std::span<const int32_t> queries = options.query_offsets;
  if (limits.empty()) return;
  if (static_cast<int64_t>(limits.size()) != queries.back()) {
    throw ShapeError("attention: {} key {}s for {} queries", limits.size(), what, queries.back());
  }
  for (size_t s = 0; s + 1 < queries.size(); ++s) {
    const int32_t keys = options.key_offsets[s + 1] - options.key_offsets[s];
    for (int32_t i = queries[s]; i < queries[s + 1]; ++i) {
      const int32_t limit = limits[static_cast<size_t>(i)];
      if (limit < 0 || limit > keys) {
        throw ShapeError("attention: the key {} {} of query {} is outside 0..{}", what, limit, i, keys);
      }
    }
  }
}

void check_limits(const AttentionOptions& options) {
  check_limits(options, "limit", options.key_ends);
  check_limits(options, "begin", options.key_starts);
  if (!(options.score_cap >= 0))
    throw ShapeError("attention: the score cap is {}, expected 0 or more", options.score_cap);
}

int64_t key_heads(const AttentionOptions& options) { return options.kv_heads == 0 ? options.heads : options.kv_heads; }

void check(const AttentionOptions& options, const Columns& q, const Columns& k, const Columns& v) {
  const int64_t heads = options.heads, kv_heads = key_heads(options);
  if (heads < 1 || kv_heads < 1 || heads % kv_heads != 0 || q.count % heads != 0 ||
      k.count != q.count / heads * kv_heads || v.count % kv_heads != 0) {
    throw ShapeError("attention: {} heads of q {} columns, {} of k {} and v {} columns", heads, q.count, kv_heads,
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

void check_angles(const char* what, const std::shared_ptr<const RotaryAngles>& angles, int64_t tokens,
                  int64_t head_dim) {
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

// Tables have a slice of columns per head, or one for all heads.
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
  const int64_t heads = options.heads, kv_heads = key_heads(options);
  const int64_t queries = q.value.data.rows(), keys = k.value.data.rows();
  check_angles("query", positions.query_angles, queries, q.count / heads);
  check_angles("key", positions.key_angles, keys, k.count / kv_heads);
  if (positions.rotate_values) check_angles("key", positions.key_angles, keys, v.count / kv_heads);
  check_frequencies(positions, queries, keys);
  const RelativeValues& terms = positions.terms;
  if (!terms.data().any()) return;
  if (terms.clip < 0) throw ShapeError("attention: relative clip is {}", terms.clip);
  const int64_t distances = 2 * terms.clip + 1;
  check_term("bias", terms.bias, distances, heads);
  check_table("query table", terms.query_table, distances, q.count, heads);
  check_table("key table", terms.key_table, distances, q.count, heads);
  check_table("value table", terms.value_table, distances, v.count / kv_heads * heads, heads);
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

// The gradient sums of tracked terms; undefined for constants.
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

// Takes rotated q and k, and their gradients before these are rotated back.
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

double scale_of(const AttentionOptions& options, int64_t head_dim) {
  return options.scale != 0 ? options.scale : 1 / std::sqrt(static_cast<double>(head_dim));
}

// The spec borrows from `options` and `positions`.
AttentionSpec spec_of(const AttentionOptions& options, const AttentionPositions& positions, int64_t head_dim) {
  return {.heads = options.heads,
          .kv_heads = options.kv_heads,
          .scale = scale_of(options, head_dim),
          .query_offsets = options.query_offsets,
          .key_offsets = options.key_offsets,
          .key_ends = options.key_ends,
          .key_starts = options.key_starts,
          .score_cap = options.score_cap,
          .dropout = options.dropout,
          .terms = positions.terms.data()};
}

// Key counts include past keys.
void check_cached(const AttentionOptions& options, const AttentionTensors& in, const AttentionPositions& positions) {
  const int64_t heads = options.heads, head_dim = heads > 0 ? in.q.columns() / heads : 0;
  if (head_dim == 0 || in.q.columns() % heads != 0 || in.k.columns() % head_dim != 0 ||
      heads % (in.k.columns() / head_dim) != 0 || in.v.columns() % (in.k.columns() / head_dim) != 0) {
    throw ShapeError("attention: {} heads of q {}, k {}, v {} columns", heads, in.q.columns(), in.k.columns(),
                     in.v.columns());
  }
  check_offsets("attention", "query", options.query_offsets, in.q.rows());
  const CachePass& pass = *options.cache;
  const size_t sequences = options.query_offsets.size() - 1;
  if (pass.past_lengths.size() != sequences || pass.cache->sequences.size() != sequences ||
      options.key_offsets.size() != sequences + 1) {
    throw ShapeError("attention: {} sequences, but a cache of {}", sequences, pass.past_lengths.size());
  }
  for (size_t s = 0; s < sequences; ++s) {
    const int64_t fresh = options.query_offsets[s + 1] - options.query_offsets[s];
    if (options.key_offsets[s + 1] - options.key_offsets[s] != pass.past_lengths[s] + fresh) {
      throw ShapeError("attention: key offsets do not match {} past and {} new tokens", pass.past_lengths[s], fresh);
    }
  }
  if (options.key_ends.empty()) throw ShapeError("attention: a cache needs key limits");
  check_limits(options);
  check_angles("query", positions.query_angles, in.q.rows(), head_dim);
  check_angles("key", positions.key_angles, in.k.rows(), head_dim);
  const RelativeTerms terms = positions.terms.data();
  if (terms.any() && (std::ssize(terms.query_positions) != in.q.rows() ||
                      std::ssize(terms.key_positions) != options.key_offsets.back())) {
    throw ShapeError("attention: {} query and {} key positions for {} new tokens of {}", terms.query_positions.size(),
                     terms.key_positions.size(), in.q.rows(), options.key_offsets.back());
  }
}

// The cached rows that some query of a pass sees, and limits counted from the first of them: with a window a step costs
// its size, not the length of the text.
struct SeenRows {
  std::vector<Tensor> keys, values;  // [sequences]
  std::vector<int32_t> starts, ends, key_positions;
  RelativeTerms terms;
};

SeenRows seen_rows(const AttentionOptions& options, const AttentionTensors& in, const RelativeTerms& terms) {
  const std::span<const int32_t> starts = options.key_starts, ends = options.key_ends;
  SeenRows seen;
  seen.starts.assign(starts.begin(), starts.end());
  seen.ends.assign(ends.begin(), ends.end());
  seen.terms = terms;
  const CachePass& pass = *options.cache;
  for (size_t s = 0; s < pass.past_lengths.size(); ++s) {
    const KeyValueCache::Sequence& sequence = pass.cache->sequences[s];
    const auto begin = static_cast<size_t>(options.query_offsets[s]),
               end = static_cast<size_t>(options.query_offsets[s + 1]);
    const int32_t tokens = options.key_offsets[s + 1] - options.key_offsets[s];
    int32_t first = 0;
    if (!starts.empty() && begin < end) first = *std::ranges::min_element(starts.subspan(begin, end - begin));
    first = std::max(first, static_cast<int32_t>(sequence.forgotten));
    const int64_t row = first - sequence.forgotten, rows = tokens - first;
    seen.keys.push_back(rows > 0 ? sequence.keys.row_range(row, rows) : in.k.row_range(0, 0));
    seen.values.push_back(rows > 0 ? sequence.values.row_range(row, rows) : in.v.row_range(0, 0));
    for (size_t t = begin; t < end; ++t) {
      if (!seen.starts.empty()) seen.starts[t] = std::max(0, seen.starts[t] - first);
      seen.ends[t] = std::max(0, seen.ends[t] - first);
    }
    if (!terms.any()) continue;
    const auto positions =
        terms.key_positions.subspan(static_cast<size_t>(options.key_offsets[s]), static_cast<size_t>(tokens));
    seen.key_positions.insert(seen.key_positions.end(), positions.begin() + std::min(first, tokens), positions.end());
  }
  seen.terms.key_positions = seen.key_positions;
  return seen;
}

}  // namespace

void attention_with_cache(Backend& backend, const AttentionOptions& options, const AttentionTensors& in,
                          const AttentionPositions& positions, const Tensor& out) {
  check_cached(options, in, positions);
  const int64_t head_dim = in.q.columns() / options.heads, key_heads = in.k.columns() / head_dim;
  if (positions.query_angles != nullptr) backend.rotate(in.q, options.heads, *positions.query_angles, false);
  if (positions.key_angles != nullptr) {
    backend.rotate(in.k, key_heads, *positions.key_angles, false);
    if (positions.rotate_values) backend.rotate(in.v, key_heads, *positions.key_angles, false);
  }
  const CachePass& pass = *options.cache;
  const bool fresh =
      std::all_of(pass.past_lengths.begin(), pass.past_lengths.end(), [](int64_t past) { return past == 0; });
  append(backend, pass, options.query_offsets, in.k, in.v, fresh);
  if (fresh) {  // a prompt is ordinary attention
    AttentionSpec spec = spec_of(options, positions, head_dim);
    spec.kv_heads = key_heads;
    spec.key_offsets = options.query_offsets;
    return backend.attention(spec, in, out, backend.empty({options.heads, in.q.rows()}));
  }
  const SeenRows seen = seen_rows(options, in, positions.terms.data());
  const CachedSpec spec{.heads = options.heads,
                        .key_heads = key_heads,
                        .scale = scale_of(options, head_dim),
                        .query_offsets = options.query_offsets,
                        .keys = seen.keys,
                        .values = seen.values,
                        .key_ends = seen.ends,
                        .key_starts = seen.starts,
                        .score_cap = options.score_cap,
                        .terms = seen.terms};
  backend.cached_attention(spec, in.q, out);
}

Value attention(const Context& context, const AttentionOptions& options, Columns q, Columns k, Columns v,
                const AttentionPositions& positions) {
  Backend& backend = context.backend;
  if (options.cache) {
    const int64_t key_heads = k.count / (q.count / options.heads);
    const Tensor out = backend.empty({q.value.data.rows(), v.count / key_heads * options.heads});
    attention_with_cache(backend, options, {q.data(), k.data(), v.data()}, positions, out);
    return Value(out);
  }
  check(options, q, k, v);
  check_positions(positions, options, q, k, v);
  AttentionSpec spec = spec_of(options, positions, q.count / options.heads);
  const AttentionTensors in{q.data(), k.data(), v.data()};
  rotate(backend, spec, positions, in, false);
  if (context.observer != nullptr) context.observer->observe(spec, in);
  const int64_t queries = q.value.data.rows();
  const Tensor out = backend.empty({queries, v.count * spec.group()}),
               log_sum_exp = backend.empty({options.heads, queries});
  backend.attention(spec, in, out, log_sum_exp);
  const RelativeValues& terms = positions.terms;
  bool tracked = wants_gradient(positions.log_frequencies);
  for (const Columns* columns : {&q, &k, &v}) tracked = tracked || columns->value.tracked();
  for (const Value* value : {&terms.bias, &terms.query_table, &terms.key_table, &terms.value_table}) {
    tracked = tracked || value->tracked();
  }
  Value result = make_result(context, out, tracked);
  if (!result.tracked()) return result;
  // `spec` borrows from `options` and `positions`.
  const auto projections = std::make_shared<const Projections>(std::move(q), std::move(k), std::move(v));
  context.tape->record([&backend, spec, options, in, projections, positions, result, log_sum_exp] {
    if (!result.gradient->defined()) return;
    ProjectionGradients sums(backend, *projections);
    const AttentionTensors gradients = sums.tensors();
    backend.attention_backward(spec, in, result.data, log_sum_exp, *result.gradient, gradients,
                               gradients_of(backend, positions.terms));
    frequencies_backward(backend, spec, positions, in, gradients);
    rotate(backend, spec, positions, gradients, true);
    sums.accumulate_all();
  });
  return result;
}

}  // namespace roformer
