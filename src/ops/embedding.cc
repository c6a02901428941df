// Row operators: embedding sums, gathered rows, pooled sequences.
#include <memory>
#include <vector>

#include "ops/internal.h"

namespace roformer {

Value embedding(const Context& context, std::span<const Lookup> lookups) {
  Backend& backend = context.backend;
  if (lookups.empty()) throw ShapeError("embedding: no table");
  const int64_t tokens = static_cast<int64_t>(lookups[0].ids.size()), width = lookups[0].table.value.columns();
  const Tensor out = backend.empty({tokens, width});
  bool tracked = false;
  for (size_t i = 0; i < lookups.size(); ++i) {
    const Lookup& lookup = lookups[i];
    check_columns("embedding", lookup.what, lookup.table.value, width);
    if (static_cast<int64_t>(lookup.ids.size()) != tokens) {
      throw ShapeError("embedding: {} {}s for {} tokens", lookup.ids.size(), lookup.what, tokens);
    }
    check_ids(lookup.what, lookup.ids, lookup.table.value.rows());
    backend.embedding(lookup.table.value, lookup.ids, lookup.factor, out, i > 0);
    tracked = tracked || wants_gradient(lookup.table);
  }
  Value result = make_result(context, out, tracked);
  if (result.tracked()) {
    context.tape->record(
        [&backend, gradient = result.gradient, tables = std::vector<Lookup>(lookups.begin(), lookups.end())] {
          if (!gradient->defined()) return;
          for (const Lookup& lookup : tables) {
            if (!wants_gradient(lookup.table)) continue;
            backend.embedding_backward(*gradient, lookup.ids, lookup.factor, lookup.table.gradient);
          }
        });
  }
  return result;
}

Value gather_rows(const Context& context, const Value& x, const Indices& rows) {
  Backend& backend = context.backend;
  check_ids("row", rows, x.data.rows());
  const Tensor out = backend.empty({static_cast<int64_t>(rows.size()), x.data.columns()});
  backend.embedding(x.data, rows, 1, out, false);
  Value result = make_result(context, out, x.tracked());
  if (result.tracked()) {
    context.tape->record([&backend, sum = x.gradient, shape = x.data.shape(), gradient = result.gradient, rows] {
      if (!gradient->defined()) return;
      start(backend, sum, shape);
      backend.embedding_backward(*gradient, rows, 1, *sum);
    });
  }
  return result;
}

Value pool(const Context& context, const Value& x, const Indices& offsets, Pooling pooling) {
  Backend& backend = context.backend;
  check_offsets("pool", "sequence", offsets, x.data.rows());
  const Tensor out = backend.empty({static_cast<int64_t>(offsets.size()) - 1, x.data.columns()});
  const Tensor argmax = pooling == Pooling::max ? backend.empty(out.shape(), DType::int32) : Tensor();
  backend.pool(pooling, x.data, offsets, out, argmax);
  Value result = make_result(context, out, x.tracked());
  if (result.tracked()) {
    context.tape->record(
        [&backend, sum = x.gradient, shape = x.data.shape(), gradient = result.gradient, offsets, pooling, argmax] {
          if (!gradient->defined()) return;
          const Tensor dx = backend.empty(shape);
          backend.pool_backward(pooling, *gradient, offsets, argmax, dx);
          accumulate(backend, sum, dx);
        });
  }
  return result;
}

}  // namespace roformer
