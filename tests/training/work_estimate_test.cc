#include "training/work_estimate.h"

#include <gtest/gtest.h>

namespace roformer {
namespace {

TEST(WorkEstimate, IsSixOperationsAParameterAndToken) {
  PretrainOptions options;
  options.accumulate = 2;
  PretrainPlan plan{.config = preset_config("demo"), .max_length = 100, .batch_tokens = 250, .preset = {}};
  const double operations = training_operations(options, plan, 7);
  EXPECT_DOUBLE_EQ(operations, 6.0 * static_cast<double>(plan.config.parameters()) * 200 * 2 * 7);
  EXPECT_DOUBLE_EQ(estimated_seconds(4e12, 4), 10);
}

}  // namespace
}  // namespace roformer
