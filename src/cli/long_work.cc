#include "cli/long_work.h"

#include <fmt/format.h>
#include <unistd.h>

#include <iostream>

#include "base/error.h"
#include "training/work_estimate.h"

namespace roformer {
namespace {

constexpr double kDay = 86400;

std::string estimate_text(double seconds) {
  return fmt::format(
      "this is estimated to take {:.{}f} days (6 floating-point operations per parameter and token, at "
      "{:.0f} GFLOP/s per thread)",
      seconds / kDay, seconds < 10 * kDay ? 1 : 0, kAssumedSpeed / 1e9);
}

void ask(double seconds) {
  if (seconds <= kDay) return;
  if (isatty(STDIN_FILENO) == 0 || isatty(STDERR_FILENO) == 0) {
    throw UsageError("{}; give {} to start anyway", estimate_text(seconds), FieldName("yes"));
  }
  std::cerr << "roformer: " << estimate_text(seconds) << ". Start? [y/N] " << std::flush;
  std::string answer;
  std::getline(std::cin, answer);
  if (answer != "y" && answer != "Y" && answer != "yes") throw Interrupted("not started");
}

}  // namespace

std::function<void(double seconds)> confirm_long_work(bool yes, const std::string& device) {
  if (yes || (device != "cpu" && device != "reference")) return nullptr;
  return ask;
}

}  // namespace roformer
