// The backward of every operation is the gradient of its forward: on the reference backend in float64, for every case
// of every family, along a random direction. All inputs move at once; if that fails, one at a time, to name the wrong
// one.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>

#include "backend/backend.h"
#include "tests/backend/families.h"

namespace roformer::test {
namespace {

class GradientTest : public ::testing::TestWithParam<size_t> {
 protected:
  // The gradient that the backward wrote or added to a tensor.
  struct Part {
    std::string name;
    Tensor of;
    std::vector<double> start, direction, gradient;
  };

  static double value_of(const Operation& operation) {
    if (operation.setup) operation.setup();
    operation.forward();
    return operation.objective ? operation.objective() : dot(operation.dout, operation.out);
  }

  // Compares directional gradients with the derivative by Richardson extrapolation of two central differences, whose
  // difference also estimates the error. A function may have a kink (relu, maximum) within the step; a smaller step
  // then avoids it.
  static void expect_derivative(const Operation& operation, const std::vector<Part>& parts, const std::string& what) {
    const auto moved = [&](double by) {
      for (const Part& part : parts) {
        std::vector<double> values = part.start;
        for (size_t i = 0; i < values.size(); ++i) values[i] += by * part.direction[i];
        assign(part.of, values);
      }
      return value_of(operation);
    };
    const auto difference = [&](double width) { return (moved(width) - moved(-width)) / (2 * width); };
    double sum = 0, size = std::abs(moved(0));  // of all terms
    for (const Part& part : parts) {
      for (size_t i = 0; i < part.gradient.size(); ++i) {
        sum += part.gradient[i] * part.direction[i];
        size += std::abs(part.gradient[i]);
      }
    }
    if (!operation.objective) {
      const std::vector<double> out = values_of(operation.out), dout = values_of(operation.dout);
      for (size_t i = 0; i < out.size(); ++i) size += std::abs(out[i] * dout[i]);
    }
    double expected = 0, may = 0;
    for (const double width : {2e-4, 2e-5, 2e-6}) {
      const double wide = difference(width), narrow = difference(width / 2);
      expected = (4 * narrow - wide) / 3;
      may = std::abs(wide - narrow) + size * 0x1p-50 / width;
      if (std::abs(sum - expected) <= may) break;
    }
    moved(0);
    EXPECT_LE(std::abs(sum - expected), may)
        << "along " << what << " the gradient is " << sum << ", expected " << expected;
  }

  // `influence`, by name: the largest gradient in any case.
  static void check(const Operation& operation, std::map<std::string, double>& influence) {
    if (operation.setup) operation.setup();
    operation.forward();
    if (!operation.backward) return;
    std::vector<Part> parts;
    for (const auto& [name, of, gradient] : operation.gradients)
      parts.push_back({name, of, values_of(of), {}, values_of(gradient)});
    operation.backward();
    Generator generator({11, 5});
    for (size_t n = 0; n < parts.size(); ++n) {
      Part& part = parts[n];
      const std::vector<double> before = std::move(part.gradient);
      part.gradient = values_of(operation.gradients[n].gradient);
      for (size_t i = 0; i < before.size(); ++i) {
        if (!std::isnan(before[i])) part.gradient[i] -= before[i];
        const double size = 0.5 + generator.uniform() / 2;
        part.direction.push_back(generator.uniform() < 0.5 ? size : -size);
      }
      double& most = influence[part.name];
      for (const double value : part.gradient) most = std::max(most, std::abs(value));
    }
    expect_derivative(operation, parts, "all inputs");
    for (size_t n = 0; HasFailure() && n < parts.size(); ++n) expect_derivative(operation, {parts[n]}, parts[n].name);
  }
};

TEST_P(GradientTest, IsTheDerivative) {
  ThreadPool pool(1);
  const std::unique_ptr<Backend> backend = make_reference_backend(pool, DType::float64);
  const Family& family = families()[GetParam()];
  std::map<std::string, double> influence;
  for (size_t i = 0; i < family.cases.size() && !HasFailure(); ++i) {
    SCOPED_TRACE(family.cases[i].sizes);
    Trial trial(*backend, i, true);
    trial.on_operation([&](const Operation& operation) { check(operation, influence); });
    family.cases[i].run(trial);
    trial.finish();  // nothing outside tensors was written
  }
  EXPECT_FALSE(influence.empty()) << "nothing here has a backward";
  for (const auto& [name, most] : influence) EXPECT_GT(most, 1e-3) << name << " has no influence: this shows nothing";
}

std::vector<size_t> families_with_gradients() {
  std::vector<size_t> indices;
  for (size_t i = 0; i < families().size(); ++i) {
    const std::string& name = families()[i].name;
    const bool forward_only =
        name == "memory" || name == "adamw" || name == "cached_attention" || name == "log_sum_exp";
    if (!forward_only) indices.push_back(i);
  }
  return indices;
}

INSTANTIATE_TEST_SUITE_P(, GradientTest, ::testing::ValuesIn(families_with_gradients()),
                         [](const auto& test) { return families()[test.param].name; });

}  // namespace
}  // namespace roformer::test
