#include "training/work_estimate.h"

namespace roformer {

double training_operations(const PretrainOptions& options, const PretrainPlan& plan, int64_t steps) {
  const double tokens = static_cast<double>(plan.sequences_per_micro_batch() * plan.max_length) *
                        static_cast<double>(options.accumulate) * static_cast<double>(steps);
  return 6 * static_cast<double>(plan.config.parameters()) * tokens;
}

double estimated_seconds(double operations, int64_t threads) {
  return operations / (kAssumedSpeed * static_cast<double>(threads));
}

}  // namespace roformer
