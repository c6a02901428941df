#include "training/continuation.h"

#include <vector>

#include "base/error.h"
#include "training/run_settings.h"

namespace roformer {

namespace {

constexpr const char* kEarlierEnds = "earlier-ends";

Schedule schedule_of(const JsonObject& settings) {
  Schedule schedule{.kind = parse_schedule(settings.get_string("schedule", std::nullopt)),
                    .learning_rate = settings.get_double("learning-rate", std::nullopt),
                    .warmup = settings.get_int("warmup", std::nullopt, 0),
                    .steps = settings.get_int("steps", std::nullopt, 0)};
  if (!settings.has(kEarlierEnds)) return schedule;
  const Json& list = settings.value()[kEarlierEnds];
  if (!list.is_array()) settings.reject(kEarlierEnds, "a list of objects");
  for (const Json& entry : list) {
    const JsonObject end(entry, settings.source());
    schedule.earlier_ends.push_back(
        {.after = end.get_int("after", std::nullopt, 0), .steps = end.get_int("steps", std::nullopt, 0)});
  }
  return schedule;
}

Json settings_with(Json settings, const Schedule& schedule) {
  settings["steps"] = schedule.steps;
  settings["warmup"] = schedule.warmup;
  for (const Schedule::EarlierEnd& end : schedule.earlier_ends) {
    settings[kEarlierEnds].push_back({{"after", end.after}, {"steps", end.steps}});
  }
  return settings;
}

bool same_rates(const Schedule& a, const Schedule& b, int64_t steps) {
  for (int64_t step = 1; step <= steps; ++step) {
    if (a.at(step) != b.at(step)) return false;
  }
  return true;
}

std::string rates_text(const Schedule& before, const Schedule& next, int64_t step, const char* verb) {
  return fmt::format("the learning rate was {:.3g} at step {} and {} {:.3g} at step {}", before.at(step), step, verb,
                     next.at(step + 1), step + 1);
}

}  // namespace

Continuation continue_run(const std::string& directory, const ScheduleOptions& options, const JsonObject& started,
                          const Json& now, int64_t step) {
  const auto refuse = [&](const Json& given) {
    throw UsageError("{}; use them, or another {}",
                     other_settings(directory, setting_differences(started.value(), given)), FieldName("output"));
  };
  Json others = now;
  others.erase("steps");
  if (options.warmup < 1) others.erase("warmup");  // a consequence of the steps
  if (!setting_differences(started.value(), others).empty()) {
    others["steps"] = now["steps"];
    refuse(others);
  }

  const Schedule before = schedule_of(started);
  Schedule next = schedule_of(JsonObject(now, directory));
  next.earlier_ends = before.earlier_ends;
  const int64_t first_end = before.earlier_ends.empty() ? before.steps : before.earlier_ends.front().steps;
  if (options.warmup < 1 && options.warmup_steps(first_end) != before.warmup) refuse(now);  // another fraction
  const bool moved = next.steps != before.steps;
  if (!moved) {
    next.warmup = before.warmup;
    return {settings_with(now, next), next, ""};
  }
  const std::string named = other_settings(directory, {fmt::format("steps was {}, now {}", before.steps, next.steps)});
  if (next.steps <= step) throw UsageError("{}; {} are done already: use another {}", named, step, FieldName("output"));
  // A snapshot that was passed over as damaged is behind the step where the end was moved.
  std::erase_if(next.earlier_ends, [&](const Schedule::EarlierEnd& end) { return end.after > step; });
  if (same_rates(before, next, step)) return {settings_with(now, next), next, ""};

  const int64_t resolved_warmup = next.warmup;
  next.warmup = before.warmup;
  if (!options.extend && same_rates(before, next, step)) {
    throw UsageError(
        "{}; the warm-up, {} of the steps, was {} and would be {}: use {} {} to keep it, or {}, or another {}", named,
        options.warmup, before.warmup, resolved_warmup, FieldName("warmup"), before.warmup, FieldName("extend"),
        FieldName("output"));
  }
  next.earlier_ends.push_back({.after = step, .steps = before.end_at(step + 1)});
  if (!options.extend) {
    throw UsageError(
        "{}; the learning rates of a {} schedule depend on it. {} goes on all the same: {}. Or use another {}", named,
        schedule_name(next.kind), FieldName("extend"), rates_text(before, next, step, "would be"), FieldName("output"));
  }
  return {settings_with(now, next), next,
          fmt::format("{}: the {} schedule now ends at step {}", rates_text(before, next, step, "is"),
                      schedule_name(next.kind), next.steps)};
}

}  // namespace roformer
