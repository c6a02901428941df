// Whether a variant of a grid is better than the one that it is compared with: the differences of their validation
// losses seed by seed, in which what the runs of a seed share cancels out.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lab/grid_results.h"
#include "metrics/statistics.h"

namespace roformer {

enum class Verdict { better, worse, indistinguishable, untested };
std::string verdict_name(Verdict verdict);  // "statistically indistinguishable"

struct LossDifference {
  struct Pair {
    int64_t seed;
    double loss;  // of the variant, less that of the reference; negative is better
  };
  std::vector<Pair> pairs;  // of the seeds that both have finished
  std::optional<MeanInterval> interval;
  // By a paired t-test at α = 0.05, which takes two seeds: whether the 95 % interval of the mean excludes 0.
  Verdict verdict = Verdict::untested;
};
LossDifference loss_difference(const GridPosition& variant, const GridPosition& reference);

// The variant that the others are compared with: the plan's, or the first.
const GridPosition& reference_of(const Grid& grid);
// Differences to it as columns of texts, the first row their names; of up to five seeds also each seed's. Empty where
// there is nothing to compare.
std::vector<std::vector<std::string>> difference_table(const Grid& grid);
Json difference_json(const LossDifference& difference);

inline constexpr const char* kDifferenceTest =
    "paired t-test over seeds, α = 0.05, not corrected for multiple comparisons";

}  // namespace roformer
