// How many CPUs this process may use, which on a shared machine or in a container is less than there are.
#pragma once

#include <string>

namespace roformer {

// The CPUs that the calling thread may run on (its affinity), and no more than the CPU time that its cgroup and those
// above it grant, rounded up (quota / period; cgroup v1 and v2, cgroups(7)); at least 1. What the system does not tell
// limits nothing. `root` stands before /proc and /sys, for tests.
int usable_cpus(const std::string& root = "");

}  // namespace roformer
