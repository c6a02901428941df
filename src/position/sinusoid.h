// The fixed sinusoidal position embedding that is added to the input (Eq. 4 of the RoFormer paper; Vaswani et al.
// 2017). Not the rotary encoding, although the same frequencies 10000^(−2t/dim) appear there. The paper alternates
// sines and cosines; the tables of RoFormer and Marian in transformers have all sines first. Weights trained with one
// arrangement are useless with the other.
#pragma once

#include <cstdint>
#include <string_view>

namespace roformer {

enum class SinusoidLayout {
  halves,       // columns 0 … ⌈dim/2⌉−1 are sines, the others cosines: transformers' RoFormer
  interleaved,  // column 2t is the sine and 2t+1 the cosine of frequency t: Eq. 4 as printed
  // Halves as in tensor2tensor and Marian: frequency t is 10000^(−t / (sines − 1)), so that the slowest is 1/10000
  // exactly; if dim is odd the last column is 0.
  tensor2tensor,
};

// Element `column` of the embedding of `position`; dim may be odd (the last cosine is then missing).
// DataError for a position outside [0, 2^29], ShapeError for a column outside [0, dim).
double sinusoid(int64_t position, int64_t column, int64_t dim, SinusoidLayout layout = SinusoidLayout::halves);

}  // namespace roformer
