// The tables of docs/rope.md: one rotation step by step, and the errors of angles in less than double precision.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "position/rotary.h"

namespace roformer {

// The rotation of one vector as a table: a line per pair, with its angle, cosine and sine, and the point before and
// after. UsageError unless `vector` has an even number of elements, DataError for a position that cannot be rotated.
std::string rope_numbers(std::span<const double> vector, int64_t position, RotaryLayout layout, double base);

// The largest error of a cosine or sine over all pairs and the last 512 positions before some lengths, as a table:
// position · θ in float32; in double, of a θ in float32; and our angles, rounded to float32 at the end.
std::string rope_precision(const Rotary& rotary);

}  // namespace roformer
