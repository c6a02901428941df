// Operators that compute the score terms of position encodings from their parameters.
#include <vector>

#include "ops/internal.h"

namespace roformer {

namespace {

const Tensor& vector_of(const char* op, const Parameter& vector, int64_t size) {
  if (vector.value.shape() != Shape{size}) {
    throw ShapeError("{}: the vector is {}, expected [{}]", op, vector.value.shape().to_string(), size);
  }
  return vector.value;
}

// The halves of one head in a row of concatenate_heads.
std::pair<Tensor, Tensor> halves(const Tensor& both, int64_t head, int64_t dim) {
  return {both.column_range(2 * head * dim, dim), both.column_range((2 * head + 1) * dim, dim)};
}

}  // namespace

Columns add_vector(const Context& context, Columns x, const Parameter& vector) {
  Backend& backend = context.backend;
  const Tensor row = vector_of("add_vector", vector, x.count).reshaped({1, x.count});
  const std::vector<int32_t> zeros(static_cast<size_t>(x.value.data.rows()));
  backend.embedding(row, zeros, 1, x.data(), true);
  if (context.tape == nullptr || !x.value.tracked() || !wants_gradient(vector)) return x;
  context.tape->record([&backend, sum = x.value.gradient, begin = x.begin, count = x.count, vector, zeros] {
    if (!sum->defined()) return;
    backend.embedding_backward(sum->column_range(begin, count), zeros, 1, vector.gradient.reshaped({1, count}));
  });
  return x;
}

Value concatenate_heads(const Context& context, const Columns& x, const Value& y, int64_t heads) {
  Backend& backend = context.backend;
  if (heads < 1 || x.count % heads != 0) throw ShapeError("concatenate_heads: {} heads of {}", heads, x.count);
  const int64_t tokens = x.value.data.rows(), dim = x.count / heads;
  check_rows("concatenate_heads", "the second part", y.data, tokens);
  check_columns("concatenate_heads", "the second part", y.data, x.count);
  const Tensor out = backend.empty({tokens, 2 * x.count});
  for (int64_t head = 0; head < heads; ++head) {
    const auto [first, second] = halves(out, head, dim);
    backend.copy(x.data().column_range(head * dim, dim), first);
    backend.copy(y.data.column_range(head * dim, dim), second);
  }
  Value result = make_result(context, out, x.value.tracked() || y.tracked());
  if (!result.tracked()) return result;
  context.tape->record([&backend, gradient = result.gradient, x_sum = x.value.gradient, y_sum = y.gradient,
                        x_shape = x.value.data.shape(), y_shape = y.data.shape(), begin = x.begin, heads, dim] {
    if (!gradient->defined()) return;
    if (x_sum != nullptr) start(backend, x_sum, x_shape);
    if (y_sum != nullptr) start(backend, y_sum, y_shape);
    for (int64_t head = 0; head < heads; ++head) {
      const auto [first, second] = halves(*gradient, head, dim);
      if (x_sum != nullptr) backend.add(first, x_sum->column_range(begin + head * dim, dim));
      if (y_sum != nullptr) backend.add(second, y_sum->column_range(head * dim, dim));
    }
  });
  return result;
}

Value head_rows(const Context& context, const Columns& x, int64_t heads) {
  Backend& backend = context.backend;
  if (heads < 1 || x.count % heads != 0) throw ShapeError("head_rows: {} heads of {} columns", heads, x.count);
  const int64_t tokens = x.value.data.rows();
  const Tensor out = backend.empty({tokens, x.count});
  backend.copy(x.data(), out);
  Value result = make_result(context, out.reshaped({tokens * heads, x.count / heads}), x.value.tracked());
  if (!result.tracked()) return result;
  context.tape->record([&backend, gradient = result.gradient, sum = x.value.gradient, shape = x.value.data.shape(),
                        begin = x.begin, flat = out.shape()] {
    if (!gradient->defined()) return;
    start(backend, sum, shape);
    backend.add(gradient->reshaped(flat), sum->column_range(begin, flat[1]));
  });
  return result;
}

Value reshaped(const Context& context, Value&& x, const Shape& shape) {
  Backend& backend = context.backend;
  Value result = make_result(context, x.data.reshaped(shape), x.tracked());
  if (!result.tracked()) return result;
  context.tape->record([&backend, gradient = result.gradient, sum = x.gradient, before = x.data.shape()] {
    if (gradient->defined()) accumulate(backend, sum, gradient->reshaped(before));
  });
  return result;
}

Value head_products(const Context& context, const Value& table, const Parameter& u, const Parameter& v, int64_t heads,
                    double factor) {
  Backend& backend = context.backend;
  const int64_t columns = table.data.columns();
  vector_of("head_products", u, columns);
  vector_of("head_products", v, columns);
  if (heads < 1 || columns % heads != 0) throw ShapeError("head_products: {} heads of {}", heads, columns);
  const Tensor out = backend.empty({table.data.rows(), heads});
  backend.head_products(table.data, v.value, heads, factor, out, false);
  backend.head_products(table.data, u.value, heads, -factor, out, true);
  Value result = make_result(context, out, table.tracked() || wants_gradient(u) || wants_gradient(v));
  if (!result.tracked()) return result;
  context.tape->record([&backend, gradient = result.gradient, table, u, v, heads, factor] {
    if (!gradient->defined()) return;
    if (table.tracked()) start(backend, table.gradient, table.data.shape());
    const Tensor dtable = table.tracked() ? *table.gradient : Tensor();
    backend.head_products_backward(table.data, v.value, heads, factor, *gradient, dtable, v.gradient);
    backend.head_products_backward(table.data, u.value, heads, -factor, *gradient, dtable, u.gradient);
  });
  return result;
}

Value kerple_bias(const Context& context, const Parameter& logs, int64_t clip) {
  Backend& backend = context.backend;
  check_rows("kerple_bias", "the parameter", logs.value, 2);
  const Tensor out = backend.empty({2 * clip + 1, logs.value.columns()});
  backend.kerple_bias(logs.value, out);
  Value result = make_result(context, out, wants_gradient(logs));
  if (!result.tracked()) return result;
  context.tape->record([&backend, gradient = result.gradient, logs] {
    if (gradient->defined()) backend.kerple_bias_backward(logs.value, *gradient, logs.gradient);
  });
  return result;
}

}  // namespace roformer
