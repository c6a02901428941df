#include "base/memory.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstring>

namespace roformer {
namespace {

// mmap, as a heap (especially of sanitizers) may retain freed memory.
TEST(Memory, ThePeakRisesAndIsForgotten) {
  if (!reset_peak_memory() || !peak_memory()) GTEST_SKIP() << "the system does not say";
  constexpr size_t kBytes = 64 << 20;
  constexpr auto kHalf = static_cast<int64_t>(kBytes / 2);
  const int64_t before = *peak_memory();
  void* const much = ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(much, MAP_FAILED);
  std::memset(much, 1, kBytes);
  ASSERT_EQ(::munmap(much, kBytes), 0);
  EXPECT_GT(*peak_memory(), before + kHalf);
  ASSERT_TRUE(reset_peak_memory());
  EXPECT_LT(*peak_memory(), before + kHalf);
}

}  // namespace
}  // namespace roformer
