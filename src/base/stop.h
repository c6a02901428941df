// Stopping on request. Long work is given a std::stop_token and looks at it between its parts; whoever started it holds
// the std::stop_source. An empty token never asks to stop. What asks the program is a signal (base/signal.h).
#pragma once

#include <stop_token>

#include "base/error.h"

namespace roformer {

// Interrupted if the token asks to stop. Cheap; any thread may look.
inline void throw_if_stopped(const std::stop_token& stop) {
  if (stop.stop_requested()) throw Interrupted("stopped on request");
}

}  // namespace roformer
