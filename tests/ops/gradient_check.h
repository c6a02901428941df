// Central differences, and a check of an operator's recorded backward against them, through the tape. The objective is
// a random linear functional of the result, Σ dout · out, whose gradient backward() must give when it starts from dout.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ops/ops.h"
#include "tests/backend/trial.h"

namespace roformer::test {

// The derivative of `objective` by one element of x, which it must read at each call. float64 only.
inline double central_difference(const std::function<double()>& objective, const Tensor& x, int64_t i, int64_t j) {
  constexpr double kStep = 1e-5;
  const double value = read(x, i, j);
  write(x, i, j, value + kStep);
  const double above = objective();
  write(x, i, j, value - kStep);
  const double below = objective();
  write(x, i, j, value);
  return (above - below) / (2 * kStep);
}

// `gradient` must be `before` + the derivative of `objective` by every element of x.
inline void expect_gradient(const std::string& name, const std::function<double()>& objective, const Tensor& x,
                            const Tensor& gradient, const std::vector<double>& before) {
  ASSERT_TRUE(gradient.defined()) << name << " got no gradient";
  std::vector<double> expected;
  double largest = 0;
  for (int64_t i = 0; i < x.rows(); ++i) {
    for (int64_t j = 0; j < x.columns(); ++j) {
      expected.push_back(central_difference(objective, x, i, j));
      largest = std::max(largest, std::abs(expected.back()));
    }
  }
  EXPECT_GT(largest, 1e-3) << name << " has no influence: the test shows nothing";
  const std::vector<double> actual = values_of(gradient);
  ASSERT_EQ(actual.size(), expected.size()) << name;
  for (size_t i = 0; i < expected.size(); ++i) {
    ASSERT_NEAR(actual[i] - before[i], expected[i], 1e-6 * std::max(std::abs(expected[i]), 0.01 * largest))
        << "gradient of " << name << ", element " << i;
  }
}

struct OperatorCheck {
  std::vector<std::pair<std::string, Tensor>> inputs;  // tracked; the operator gets copies, so it may overwrite them
  std::vector<std::pair<std::string, Parameter>> parameters;  // gradients are accumulated
  std::function<Value(const Context&, const std::vector<Value>&)> apply;
};

inline void expect_gradients(Trial& trial, const OperatorCheck& check) {
  Backend& backend = trial.backend();
  const auto copies = [&](bool tracked) {
    std::vector<Value> values;
    for (const auto& [name, x] : check.inputs) {
      const Tensor copy = backend.empty(x.shape());
      backend.copy(x, copy);
      values.push_back(tracked ? Value::tracking(copy) : Value(copy));
    }
    return values;
  };
  Tape tape;
  const std::vector<Value> values = copies(true);
  const Value result = check.apply({.backend = backend, .tape = &tape}, values);
  ASSERT_TRUE(result.tracked());
  const Tensor dout = trial.random(result.data.rows(), result.data.columns()), start = backend.empty(dout.shape());
  backend.copy(dout, start);
  *result.gradient = start;
  std::vector<std::vector<double>> before;
  for (const auto& [name, parameter] : check.parameters) before.push_back(values_of(parameter.gradient));
  tape.backward();

  const auto objective = [&] { return dot(dout, check.apply({.backend = backend}, copies(false)).data); };
  for (size_t i = 0; i < values.size(); ++i) {
    const auto& [name, x] = check.inputs[i];
    expect_gradient(name, objective, x, *values[i].gradient,
                    std::vector<double>(static_cast<size_t>(x.elements()), 0.0));
  }
  for (size_t i = 0; i < before.size(); ++i) {
    const auto& [name, parameter] = check.parameters[i];
    expect_gradient(name, objective, parameter.value, parameter.gradient, before[i]);
  }
}

// A column range of a projection. Ranges may overlap: tests pass copies to operators.
inline Columns columns_of(Value x, int64_t begin, int64_t count) {
  return std::move(split<2>(std::move(x), {begin, count})[1]);
}

inline std::shared_ptr<const RotaryAngles> shared_angles(RotaryAngles angles) {
  return std::make_shared<const RotaryAngles>(std::move(angles));
}

// Operators on the reference backend in float64, with random inputs.
class OperatorTest : public ::testing::Test {
 protected:
  Parameter parameter(int64_t rows, int64_t columns) {
    return {trial_.random(rows, columns), trial_.random(rows, columns)};
  }
  Parameter vector_parameter(int64_t count) { return {trial_.random_vector(count), trial_.random_vector(count)}; }

  ThreadPool pool_{1};
  std::unique_ptr<Backend> backend_ = make_reference_backend(pool_, DType::float64);
  Trial trial_{*backend_, 7, false};
};

}  // namespace roformer::test
