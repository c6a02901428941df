// A table as lines of text.
#pragma once

#include <string>
#include <vector>

namespace roformer {

// Rows of as many cells each: columns, the first left-aligned and the others right-aligned.
std::string aligned(const std::vector<std::vector<std::string>>& rows);

}  // namespace roformer
