// The number of CPUs this process may use, which may be fewer than the machine has (affinity, containers).
#pragma once

#include <string>

namespace roformer {

// The CPUs that the calling thread may run on (its affinity), limited by the CPU quota of its cgroup and the cgroups
// above, rounded up (quota / period; cgroup v1 and v2, cgroups(7)); at least 1. Unknown limits are ignored. `root` is
// prepended to /proc and /sys, for tests.
int usable_cpus(const std::string& root = "");

}  // namespace roformer
