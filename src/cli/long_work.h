// Whether work of days is meant: a preset's 100,000 steps are weeks on a laptop.
#pragma once

#include <functional>
#include <string>

namespace roformer {

// What PretrainOptions::confirm is: asks on the terminal where the estimate is above 24 hours, and throws Interrupted
// unless the answer is yes; UsageError that names `yes` where there is no terminal. Empty, so nothing is asked, if
// `yes` or if `device` is no CPU, of whose speed nothing is assumed.
std::function<void(double seconds)> confirm_long_work(bool yes, const std::string& device);

}  // namespace roformer
