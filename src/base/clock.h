// Monotonic time for measuring durations.
#pragma once

#include <chrono>

namespace roformer {

// Seconds of a monotonic clock; only differences are meaningful.
inline double now_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace roformer
