#include "cli/aligned.h"

#include <algorithm>
#include <cstdint>

#include "base/utf8.h"

namespace roformer {

std::string aligned(const std::vector<std::vector<std::string>>& rows) {
  std::string text;
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) {
      int64_t width = 0;
      for (const auto& other : rows) width = std::max<int64_t>(width, count_code_points(other[i]));
      const std::string fill(static_cast<size_t>(width - count_code_points(row[i])), ' ');
      text += i == 0 ? row[i] + fill : "  " + fill + row[i];
    }
    text += "\n";
  }
  return text;
}

}  // namespace roformer
