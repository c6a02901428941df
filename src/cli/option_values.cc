#include "cli/option_values.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/json.h"
#include "base/setting_text.h"
#include "cli/did_you_mean.h"

namespace roformer {
int64_t parse_integer(const std::string& value, const std::string& place, IntegerRange range) {
  const auto number = parse_number<int64_t>(value);
  if (number && range.contains(*number)) return *number;
  throw UsageError("{}: expected {}, got {}", place, range.expected(), quote(value));
}

double parse_real(const std::string& value, const std::string& place, const RealRange& range) {
  const auto number = parse_number<double>(value);
  if (number && range.contains(*number)) return *number;
  throw UsageError("{}: expected {}, got {}", place, range.expected(), quote(value));
}

bool parse_flag(const std::string& value, const std::string& place) {
  for (const char* word : {"true", "1", "yes", "on"}) {
    if (value == word) return true;
  }
  for (const char* word : {"false", "0", "no", "off"}) {
    if (value == word) return false;
  }
  throw UsageError("{}: expected true or false, got {}", place, quote(value));
}

void check_choice(const std::string& value, const std::string& place, const std::vector<std::string>& choices) {
  if (std::find(choices.begin(), choices.end(), value) != choices.end()) return;
  throw UsageError("{}: expected {}, got {}{}", place, fmt::join(choices, ", "), quote(value),
                   did_you_mean(value, choices));
}

std::vector<std::string> split_at_commas(const std::string& text) {
  std::vector<std::string> parts;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

}  // namespace roformer
