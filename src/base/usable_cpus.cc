#include "base/usable_cpus.h"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <fstream>
#include <limits>
#include <sstream>
#include <string_view>
#include <thread>
#include <vector>

namespace roformer {

namespace {

int cpus_of_affinity() {
  constexpr int kMaxCpus = 1 << 16;  // the set must be as large as the kernel's
  for (int cpus = CPU_SETSIZE; cpus <= kMaxCpus; cpus *= 2) {
    std::vector<cpu_set_t> set(CPU_ALLOC_SIZE(cpus) / sizeof(cpu_set_t));
    const size_t bytes = set.size() * sizeof(cpu_set_t);
    if (::sched_getaffinity(0, bytes, set.data()) == 0) return CPU_COUNT_S(bytes, set.data());
  }
  return static_cast<int>(std::thread::hardware_concurrency());
}

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, separator);) parts.push_back(part);
  return parts;
}

bool has_word(const std::string& list, std::string_view word) { return std::ranges::count(split(list, ','), word) > 0; }

struct Cgroup {
  bool v2 = false;
  std::string path;  // as the process sees it: "/user.slice/…"
};

// The groups that can limit CPU time: lines "0::/path" (v2) and "4:cpu,cpuacct:/path" (v1).
std::vector<Cgroup> cgroups(const std::string& root) {
  std::vector<Cgroup> groups;
  std::ifstream file(root + "/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    if (controllers.empty() || has_word(controllers, "cpu"))
      groups.push_back({controllers.empty(), line.substr(second + 1)});
  }
  return groups;
}

// A cgroup file system: `root` of the hierarchy is seen at `directory`.
struct Mount {
  bool v2 = false;
  std::string root, directory;
};

// Lines "36 35 98:0 ROOT DIRECTORY options … - TYPE SOURCE SUPER_OPTIONS" of proc(5).
std::vector<Mount> cgroup_mounts(const std::string& root) {
  std::vector<Mount> mounts;
  std::ifstream file(root + "/proc/self/mountinfo");
  for (std::string line; std::getline(file, line);) {
    const std::vector<std::string> fields = split(line, ' ');
    const auto dash = std::ranges::find(fields, "-");
    if (fields.end() - dash < 4 || dash - fields.begin() < 5) continue;
    const bool v2 = dash[1] == "cgroup2";
    if (v2 || (dash[1] == "cgroup" && has_word(dash[3], "cpu"))) mounts.push_back({v2, fields[3], fields[4]});
  }
  return mounts;
}

constexpr double kUnlimited = std::numeric_limits<double>::infinity();

// The CPU quota of one group, in CPUs.
double quota(const std::string& directory, bool v2) {
  double time = 0, period = 0;  // microseconds; v2 says "max" and v1 -1 where there is no limit
  if (v2) {
    std::ifstream file(directory + "/cpu.max");
    if (!(file >> time >> period)) return kUnlimited;
  } else {
    std::ifstream time_file(directory + "/cpu.cfs_quota_us"), period_file(directory + "/cpu.cfs_period_us");
    if (!(time_file >> time) || !(period_file >> period)) return kUnlimited;
  }
  return time > 0 && period > 0 ? time / period : kUnlimited;
}

// The minimum over the group and all visible groups above it.
double quota_of(const std::string& root, const Cgroup& group, const Mount& mount) {
  std::string path = group.path;
  if (mount.root != "/") path = path.starts_with(mount.root) ? path.substr(mount.root.size()) : "";
  double least = kUnlimited;
  while (true) {
    least = std::min(least, quota(root + mount.directory + path, mount.v2));
    if (path.empty()) return least;
    const size_t slash = path.rfind('/');
    path.resize(slash == std::string::npos ? 0 : slash);
  }
}

}  // namespace

int usable_cpus(const std::string& root) {
  double cpus = std::max(1, cpus_of_affinity());
  const std::vector<Mount> mounts = cgroup_mounts(root);
  for (const Cgroup& group : cgroups(root)) {
    for (const Mount& mount : mounts) {
      if (mount.v2 == group.v2) cpus = std::min(cpus, std::ceil(quota_of(root, group, mount)));
    }
  }
  return static_cast<int>(std::max(1.0, cpus));
}

}  // namespace roformer
