// McNemar's test (1947): whether two models are right equally often, from the same examples.
#pragma once

#include <cstdint>
#include <span>

namespace roformer {

struct McNemarTest {
  int64_t only_first = 0, only_second = 0;  // examples that only one of them has right
  double p = 1;  // two-sided, from the binomial distribution: exact at any number of examples
};

// correct[i]: whether the model has example i right. ShapeError for lists of different lengths.
McNemarTest mcnemar_test(std::span<const uint8_t> first_correct, std::span<const uint8_t> second_correct);

}  // namespace roformer
