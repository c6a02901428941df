// Losses that are computed on the host.
#include <cstring>
#include <functional>
#include <utility>

#include "ops/internal.h"

namespace roformer {

Loss host_loss(const Context& context, const Value& x,
               const std::function<LossSum(const Tensor& x_on_host, Tensor* gradient_on_host)>& loss) {
  Backend& backend = context.backend;
  Tensor rows = x.data;
  if (!rows.contiguous()) {
    rows = backend.empty(x.data.shape());
    backend.copy(x.data, rows);
  }
  const Tensor host = backend.to_host(rows);
  if (context.tape == nullptr || !x.tracked()) return {backend, loss(host, nullptr)};
  LossSum sum;
  Tensor dx = backend.empty(rows.shape());
  backend.write(dx, [&](Tensor gradient) {
    std::memset(gradient.raw(), 0, static_cast<size_t>(gradient.bytes()));
    sum = loss(host, &gradient);
  });
  context.tape->record(
      [&backend, target = x.gradient, dx = std::move(dx)]() mutable { accumulate(backend, target, std::move(dx)); });
  return {backend, sum};
}

}  // namespace roformer
