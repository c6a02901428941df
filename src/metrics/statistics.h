// Student's t interval of the mean of a few repetitions, and the median.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace roformer {

using Bounds = std::array<double, 2>;  // of an interval: low, high

// t with P(|T| < t) = confidence for Student's T of `degrees` degrees of freedom (Student 1908), from the finite sums
// of Abramowitz & Stegun, "Handbook of Mathematical Functions" (1964), 26.7.3 and 26.7.4. degrees >= 1, confidence in
// (0, 1).
double student_t(double confidence, int64_t degrees);

struct MeanInterval {
  double mean = 0;
  std::optional<double> half_width;  // of the 95 % interval of the mean; none of a single value
  int64_t count = 0;
  double deviation = 0;  // of the sample (divisor count - 1); 0 of a single value
};
// Of at least one value.
MeanInterval mean_interval(const std::vector<double>& values);

// "4.312 ± 0.021"; "4.312" of one value, "–" of none.
std::string interval_text(const std::vector<double>& values, int decimals);

// Of at least one value; the upper one of two in the middle.
double median(std::vector<double> values);

}  // namespace roformer
