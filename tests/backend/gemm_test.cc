#include "backend/cpu/gemm.h"

#include <gtest/gtest.h>
#include <omp.h>

#include <vector>

namespace roformer {
namespace {

TEST(Gemm, LeavesTheThreadsOpenMpSettingAlone) {
  const int before = omp_get_max_threads();
  omp_set_num_threads(3);
  const std::vector<float> a{1, 2, 3, 4}, b{1, 0, 0, 1};
  std::vector<float> c(4);
  gemm(2, 2, 2, 1, {a.data(), 2, false}, {b.data(), 2, true}, 0, c.data(), 2);
  EXPECT_EQ(c, a);
  EXPECT_EQ(omp_get_max_threads(), 3);
  omp_set_num_threads(before);
}

}  // namespace
}  // namespace roformer
