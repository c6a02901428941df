#include "base/memory.h"

#include <gtest/gtest.h>

#include <vector>

namespace roformer {
namespace {

TEST(Memory, ThePeakRisesAndIsForgotten) {
  if (!reset_peak_memory() || !peak_memory()) GTEST_SKIP() << "the system does not say";
  constexpr int64_t kBytes = 64 << 20;
  const int64_t before = *peak_memory();
  {
    std::vector<char> much(static_cast<size_t>(kBytes), 1);
    EXPECT_EQ(much.back(), 1);
  }
  EXPECT_GT(*peak_memory(), before + kBytes / 2);
  ASSERT_TRUE(reset_peak_memory());
  EXPECT_LT(*peak_memory(), before + kBytes / 2);
}

}  // namespace
}  // namespace roformer
