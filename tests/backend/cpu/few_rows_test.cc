// Linear layers with few rows, as in decoding: the bits of a row do not depend on the other rows.
#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "tests/backend/trial.h"

namespace roformer::test {
namespace {

TEST(LinearOfFewRows, DoesNotDependOnOtherRows) {
  ThreadPool pool(2);
  const auto cpu = make_cpu_backend(pool);
  for (const int64_t rows : {1, 2, 3, 4, 5, 6, 7, 8}) {
    for (const auto& shape :
         std::vector<std::pair<int64_t, int64_t>>{{1, 1}, {7, 33}, {130, 700}, {24, 512}, {16, 15}}) {
      const int64_t outputs = shape.first, depth = shape.second;
      const auto run = [&](int64_t first, int64_t count) {
        Trial trial(*cpu, 5, true);
        const Tensor weight = trial.random(outputs, depth, 0.3), bias = trial.random_vector(outputs);
        const Tensor x = trial.random(rows, depth).row_range(first, count);
        const Tensor out = trial.output("out", count, outputs), before = trial.output("before", count, outputs);
        cpu->linear(x, weight, bias, Activation::gelu, out, before);
        return trial.finish()[0].values;
      };
      const std::vector<double> together = run(0, rows);
      for (int64_t i = 0; i < rows; ++i) {
        const auto begin = together.begin() + i * outputs;
        EXPECT_EQ(run(i, 1), std::vector<double>(begin, begin + outputs)) << rows << " " << i;
      }
    }
  }
}

}  // namespace
}  // namespace roformer::test
