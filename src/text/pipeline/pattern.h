// Where a text is to be replaced or split: the stretches that a pattern matches and those between them.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "text/pipeline/part.h"

namespace roformer {

struct Stretch {
  size_t begin, end;  // bytes
  bool matches;
};

// Appends the stretches of a text, which they cover in order.
using StretchFinder = std::function<void(std::string_view text, std::vector<Stretch>& stretches)>;

// Each code point that `property` holds for is a match of its own.
StretchFinder find_code_points(bool (*property)(char32_t));

// The occurrences of a text that is not empty.
StretchFinder find_literal(std::string literal);

// The "pattern" of a part: {"String": ...}, taken literally, or {"Regex": ...}. DataError for another.
StretchFinder read_pattern(const PipelinePart& part);

}  // namespace roformer
