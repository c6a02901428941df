// The number types of products by precision and CPU, looked up once when a backend is made. No choice is slower than
// float32: where a CPU has no fast dot products of a type, only weights are stored in it and are widened to float32 a
// panel at a time, in cache; nothing is emulated but products of groups of 32 (grouped.h), as decoding waits for
// memory.
#pragma once

#include <vector>

#include "backend/backend.h"

namespace roformer {

// The products that are fast on a CPU (simd.h).
struct DotProducts {
  bool bfloat16 = false, int8 = false;
};

struct NumberTypes {
  Precision weights = Precision::float32;    // what the weights of a linear layer are rounded to
  Precision products = Precision::float32;   // what they are multiplied in, with activations rounded to it
  Precision gradients = Precision::float32;  // both factors of products of gradients
  Precision attention = Precision::float32;  // both factors of attention's products

  // Weights are widened to float32 for products.
  bool widened() const { return products != weights; }
};

NumberTypes choose_number_types(Precision precision, const DotProducts& cpu);
DotProducts dot_products();  // of this CPU, except those that ROFORMER_SIMD excludes
std::vector<NumberTypeUse> describe(const NumberTypes& numbers);

}  // namespace roformer
