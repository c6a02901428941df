#include "base/usable_cpus.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "base/parallel.h"
#include "tests/base/temp_directory.h"

namespace roformer {
namespace {

// A fake /proc and /sys. Only the affinity is this machine's.
class UsableCpus : public testing::Test {
 protected:
  void write(const std::string& path, const std::string& text) const {
    const std::filesystem::path file = root_ / path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
  int cpus() const { return usable_cpus(root_.path()); }

  TempDirectory root_;
  const int limit_ = usable_cpus(root_ / "nowhere");  // without a quota
};

TEST_F(UsableCpus, AreThoseOfTheAffinity) {
  EXPECT_GE(limit_, 1);
  std::thread([&] {
    cpu_set_t all, one;
    ASSERT_EQ(::sched_getaffinity(0, sizeof all, &all), 0);
    CPU_ZERO(&one);
    for (int cpu = 0; CPU_COUNT(&one) == 0; ++cpu) {
      if (CPU_ISSET(cpu, &all)) CPU_SET(cpu, &one);
    }
    ASSERT_EQ(::sched_setaffinity(0, sizeof one, &one), 0);
    EXPECT_EQ(usable_cpus(), 1);
    EXPECT_EQ(ThreadPool().threads(), 1);
  }).join();
}

TEST_F(UsableCpus, AreNoMoreThanTheQuotaOfVersion2) {
  write("proc/self/cgroup", "0::/jobs/mine\n");
  write("proc/self/mountinfo", "25 30 0:22 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n");
  write("sys/fs/cgroup/jobs/mine/cpu.max", "max 100000\n");
  EXPECT_EQ(cpus(), limit_);
  write("sys/fs/cgroup/jobs/mine/cpu.max", "50000 100000\n");
  EXPECT_EQ(cpus(), 1);
  write("sys/fs/cgroup/jobs/mine/cpu.max", "110000 100000\n");  // 1.1 is 2
  EXPECT_EQ(cpus(), std::min(limit_, 2));
  write("sys/fs/cgroup/jobs/cpu.max", "100000 100000\n");  // of the group above
  EXPECT_EQ(cpus(), 1);
}

TEST_F(UsableCpus, AreNoMoreThanTheQuotaOfVersion1) {
  // Inside a container: the group is the root of the mount.
  write("proc/self/cgroup", "5:cpuacct,cpu:/docker/c73f\n1:name=systemd:/docker/c73f\n0::/\n");
  write("proc/self/mountinfo",
        "32 31 0:29 /docker/c73f /sys/fs/cgroup/cpu ro,nosuid master:1 - cgroup cgroup rw,cpu,cpuacct\n"
        "33 31 0:30 / /sys/fs/cgroup/systemd ro,nosuid - cgroup cgroup rw,name=systemd\n");
  write("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  write("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
  EXPECT_EQ(cpus(), limit_);
  write("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "20000\n");
  EXPECT_EQ(cpus(), 1);
}

TEST_F(UsableCpus, WhatCannotBeReadLimitsNothing) {
  write("proc/self/cgroup", "nonsense\n0:\n0::/jobs\n4:cpu:relative\n");
  write("proc/self/mountinfo",
        "short - cgroup2\n25 30 0:22 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
        "26 30 0:23 /other /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n");
  write("sys/fs/cgroup/jobs/cpu.max", "0 0\n");
  write("sys/fs/cgroup/cpu.max", "100000\n");
  EXPECT_EQ(cpus(), limit_);
}

}  // namespace
}  // namespace roformer
