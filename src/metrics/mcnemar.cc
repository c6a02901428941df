#include "metrics/mcnemar.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"

namespace roformer {
namespace {

// P(X <= most) of `trials` tosses of a fair coin, most <= trials / 2, from the largest term down.
double lower_tail(int64_t most, int64_t trials) {
  const auto n = static_cast<double>(trials), k = static_cast<double>(most);
  double term = std::exp(std::lgamma(n + 1) - std::lgamma(k + 1) - std::lgamma(n - k + 1) - n * std::numbers::ln2);
  double sum = 0;
  for (int64_t i = most; i >= 0 && term > sum * 1e-17; --i) {
    sum += term;
    term *= static_cast<double>(i) / static_cast<double>(trials - i + 1);
  }
  return sum;
}

}  // namespace

McNemarTest mcnemar_test(std::span<const uint8_t> first_correct, std::span<const uint8_t> second_correct) {
  if (first_correct.size() != second_correct.size()) {
    throw ShapeError("{} verdicts on the first model and {} on the second", first_correct.size(),
                     second_correct.size());
  }
  McNemarTest test;
  for (size_t i = 0; i < first_correct.size(); ++i) {
    test.only_first += first_correct[i] != 0 && second_correct[i] == 0;
    test.only_second += first_correct[i] == 0 && second_correct[i] != 0;
  }
  const int64_t fewer = std::min(test.only_first, test.only_second);
  test.p = std::min(1.0, 2 * lower_tail(fewer, test.only_first + test.only_second));
  return test;
}

}  // namespace roformer
