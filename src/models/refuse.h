// How the checks of a config refuse: by its file, or, without one, as what somebody typed.
#pragma once

#include <string>
#include <utility>

#include "base/error.h"

namespace roformer {

// A DataError that begins with `source`, or a UsageError where that is empty.
template <class... Args>
[[noreturn]] void refuse_config(const std::string& source, fmt::format_string<Args...> format, Args&&... args) {
  const std::string message = fmt::format(format, std::forward<Args>(args)...);
  if (source.empty()) throw UsageError("{}", message);
  throw DataError("{}: {}", source, message);
}

inline void check_range(const std::string& source, const char* key, int64_t value, int64_t low, int64_t high) {
  if (value < low || value > high) refuse_config(source, "{} is {}, expected {} to {}", key, value, low, high);
}

}  // namespace roformer
