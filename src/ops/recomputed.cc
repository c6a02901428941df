// Gradient checkpointing.
#include <utility>

#include "ops/internal.h"

namespace roformer {

Value recomputed(const Context& context, const Value& x, Computation compute) {
  if (context.tape == nullptr) return compute(context, x);
  Context inner = context;
  Tape forgotten;
  inner.tape = &forgotten;
  const Value once = compute(inner, x);
  Value result = make_result(context, once.data, once.tracked());
  if (!result.tracked()) return result;
  inner.tape = nullptr;
  inner.observer = nullptr;
  context.tape->record([inner, x, compute = std::move(compute), gradient = result.gradient] {
    if (!gradient->defined()) return;
    Context again = inner;
    Tape tape;
    again.tape = &tape;
    // Gradients of x and of what `compute` refers to are added to the same sums, in the same order, as without this.
    const GradientSum same = compute(again, x).gradient;
    *same = std::move(*gradient);
    tape.backward();
  });
  return result;
}

}  // namespace roformer
