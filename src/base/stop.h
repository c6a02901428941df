// Cooperative cancellation. Long work polls a std::stop_token; its starter owns the std::stop_source. An empty token
// never requests a stop. Signals request it for the program (base/signal.h).
#pragma once

#include <stop_token>

#include "base/error.h"

namespace roformer {

// Throws Interrupted if a stop was requested. Cheap; callable from any thread.
inline void throw_if_stopped(const std::stop_token& stop) {
  if (stop.stop_requested()) throw Interrupted("stopped on request");
}

}  // namespace roformer
