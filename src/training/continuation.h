// A run that goes on with another number of steps than it was started with.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "base/json.h"
#include "training/schedule.h"

namespace roformer {

struct Continuation {
  Json settings;  // to go on with (run_settings.h)
  Schedule schedule;
  std::string notice;  // what the learning rate does where the schedule was given another end; empty elsewhere
};

// The run in `directory` has done `step` steps with the settings `started`; `now` are those it is given, of which steps
// and warm-up follow from `options`. The number of steps may change where the learning rates of the steps done would
// have been the same, so that the result is that of a single run, or with `options.extend`: then these steps keep their
// rates, and a warm-up that is a fraction stays what it was. UsageError, naming what differs, for any other change.
Continuation continue_run(const std::string& directory, const ScheduleOptions& options, const JsonObject& started,
                          const Json& now, int64_t step);

}  // namespace roformer
