// How far two names are from each other.
#pragma once

#include <cstddef>
#include <string_view>

namespace roformer {

// Levenshtein: the fewest letters to insert, delete or exchange. Costs the product of both lengths.
size_t edit_distance(std::string_view a, std::string_view b);

}  // namespace roformer
