// Confirmation of work that takes days: a preset's 100,000 steps are weeks on a laptop.
#pragma once

#include <functional>
#include <string>

namespace roformer {

// For PretrainOptions::confirm: asks on the terminal where the estimate is above 24 hours, and throws Interrupted
// unless the answer is yes; UsageError that names `yes` where there is no terminal. Empty, so that nothing is
// asked, if `yes` or if `device` is not a CPU, as the speed of others is unknown.
std::function<void(double seconds)> confirm_long_work(bool yes, const std::string& device);

}  // namespace roformer
