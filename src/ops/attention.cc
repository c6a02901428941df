// Attention with its position encoding: rotate q and k in place, attend, and on the way back turn the gradients the other
// way. R is orthogonal, so the transposed rotation is all the backward there is (Eq. 16).
#include <cmath>
#include <vector>

#include "ops/internal.h"

namespace roformer {

namespace {

void check_offsets(const char* what, std::span<const int32_t> offsets, int64_t tokens) {
  bool good = !offsets.empty() && offsets.front() == 0 && offsets.back() == tokens;
  for (size_t i = 1; good && i < offsets.size(); ++i) good = offsets[i - 1] <= offsets[i];
  if (!good) throw ShapeError("attention: {} offsets do not rise from 0 to {} tokens", what, tokens);
}

void check(const AttentionOptions& options, const Columns& q, const Columns& k, const Columns& v) {
  if (options.heads < 1 || q.count % options.heads != 0 || q.count != k.count || v.count % options.heads != 0) {
    throw ShapeError("attention: {} heads of q {}, k {}, v {} columns", options.heads, q.count, k.count, v.count);
  }
  check_rows("attention", "value", v.value.data, k.value.data.rows());
  check_offsets("query", options.query_offsets, q.value.data.rows());
  check_offsets("key", options.key_offsets, k.value.data.rows());
  if (options.query_offsets.size() != options.key_offsets.size()) {
    throw ShapeError("attention: {} query sequences, {} key sequences", options.query_offsets.size() - 1,
                     options.key_offsets.size() - 1);
  }
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
  const double scale =
      options.scale != 0 ? options.scale : 1 / std::sqrt(static_cast<double>(q.count / options.heads));
  const AttentionSpec spec{options.heads,   scale, options.query_offsets, options.key_offsets,
                           options.dropout, positions.terms};
  const AttentionTensors in{q.data(), k.data(), v.data()};
  rotate(backend, options.heads, positions, in, false);
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
        accumulate(backend, columns->value, std::move(tensor));
        tensor = Tensor();
      }
    }
  });
  return result;
}

}  // namespace roformer
