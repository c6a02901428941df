#include "backend/cpu/gemm.h"

#include <gtest/gtest.h>
#include <omp.h>

#include <utility>
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

// Rows and columns around the blocks a product may be cut into.
TEST(Gemm, OfATransposedFactorIsTheSumOfProducts) {
  for (const int64_t m : {1, 11, 12, 13, 15, 16, 17, 24, 25, 127, 255, 256}) {
    for (const auto& [n, k] : {std::pair<int64_t, int64_t>{1, 1}, {33, 5}, {40, 8200}, {300, 700}}) {
      std::vector<float> a(static_cast<size_t>(m * k)), b(static_cast<size_t>(n * k));
      for (size_t i = 0; i < a.size(); ++i) a[i] = static_cast<float>(i * 7 % 13) - 6;
      for (size_t i = 0; i < b.size(); ++i) b[i] = static_cast<float>(i * 5 % 11) - 5;
      const int64_t stride = n + 3;
      std::vector<float> c(static_cast<size_t>(m * stride), 1.0f);
      gemm(m, n, k, 0.5f, {a.data(), k, false}, {b.data(), k, true}, 2, c.data(), stride);
      for (int64_t i = 0; i<m; i += m> 20 ? 5 : 1) {
        for (int64_t j = 0; j < stride; ++j) {
          double sum = 0;
          for (int64_t l = 0; j < n && l < k; ++l) sum += static_cast<double>(a[i * k + l]) * b[j * k + l];
          ASSERT_EQ(c[i * stride + j], j < n ? 0.5 * sum + 2 : 1)
              << m << " x " << n << " x " << k << ", " << i << " " << j;
        }
      }
    }
  }
}

}  // namespace
}  // namespace roformer
