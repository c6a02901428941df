// What multiplies what: one table of precision and CPU, looked up once when a backend is made. No row of it is slower
// than float32: where a CPU has no fast dot products of a type, only the weights are held in it, and are widened to
// float32 a panel at a time while that is in cache; nothing is emulated.
#pragma once

#include <vector>

#include "backend/backend.h"

namespace roformer {

// The dot products that a CPU has and is fast at (simd::has_bfloat16).
struct DotProducts {
  bool bfloat16 = false, int8 = false;
};

struct NumberTypes {
  Precision weights = Precision::float32;    // what the weights of a linear layer are rounded to
  Precision products = Precision::float32;   // what they are multiplied in, with activations rounded to it
  Precision gradients = Precision::float32;  // both factors of products of gradients
  Precision attention = Precision::float32;  // both factors of attention's products

  // Weights become float32 before they are multiplied.
  bool widened() const { return products != weights; }
};

NumberTypes choose_number_types(Precision precision, const DotProducts& cpu);
DotProducts dot_products();  // of this CPU, less what ROFORMER_SIMD excludes
std::vector<NumberTypeUse> describe(const NumberTypes& numbers);

}  // namespace roformer
