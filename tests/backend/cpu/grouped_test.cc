// Weights in groups of 32: exact where a file has them, within their roundings, the same on every instruction set.
#include "backend/cpu/gemm/grouped.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>

#include "backend/cpu/gemm/group_rounding.h"
#include "base/random.h"
#include "hwy/targets.h"
#include "tensor/half.h"

namespace roformer {
namespace {

using GroupValues = std::array<float, kGroup>;

float as_half(float x) { return widened(rounded_to_float16(x)); }

// scale · code + minimum with `codes` codes from `least` on.
GroupValues values_in_a_file(Generator& generator, int least, uint64_t codes, float scale, float minimum) {
  GroupValues values;
  for (float& value : values) {
    value = scale * static_cast<float>(least + static_cast<int>(generator.below(codes))) + minimum;
  }
  return values;
}

void expect_holds(const std::optional<WeightGroup>& group, const GroupValues& values) {
  ASSERT_TRUE(group.has_value());
  const float scale = widened(Float16{group->scale}), minimum = widened(Float16{group->minimum});
  for (size_t i = 0; i < values.size(); ++i) {
    EXPECT_EQ(scale * static_cast<float>(group->codes[i]) + minimum, values[i]) << i;
  }
}

TEST(WeightGroups, OfAFileAreFoundExactly) {
  Generator generator({7, 0});
  for (int trial = 0; trial < 300; ++trial) {
    const float scale = as_half(static_cast<float>(std::exp(2 * generator.normal() - 5)));
    const float either = generator.below(2) == 0 ? scale : -scale;
    const float minimum = as_half(-scale * static_cast<float>(10 * generator.uniform()));
    const auto share = static_cast<int>(1 + generator.below(16));  // of the codes, which need not reach the ends
    const GroupValues bytes = values_in_a_file(generator, -8 * share, static_cast<uint64_t>(16 * share), either, 0);
    expect_holds(exact_int8(bytes.data()), bytes);
    const GroupValues halves =
        values_in_a_file(generator, -std::min(share, 8), static_cast<uint64_t>(share), either, 0);
    expect_holds(exact_int4(halves.data()), halves);
    const GroupValues raised = values_in_a_file(generator, 0, static_cast<uint64_t>(share), scale, minimum);
    expect_holds(exact_int4_minimum(raised.data()), raised);
  }
  const GroupValues zeros{};
  expect_holds(exact_int4(zeros.data()), zeros);
}

TEST(WeightGroups, OthersAreRounded) {
  Generator generator({8, 0});
  for (int trial = 0; trial < 50; ++trial) {
    GroupValues values;
    float largest = 0;
    for (float& value : values) {
      value = static_cast<float>(generator.normal());
      largest = std::max(largest, std::abs(value));
    }
    EXPECT_FALSE(exact_int8(values.data()).has_value());
    EXPECT_FALSE(exact_int4(values.data()).has_value());
    EXPECT_FALSE(exact_int4_minimum(values.data()).has_value());
    const WeightGroup int8 = rounded_int8(values.data()), int4 = rounded_int4(values.data());
    for (size_t i = 0; i < values.size(); ++i) {
      EXPECT_NEAR(widened(Float16{int8.scale}) * static_cast<float>(int8.codes[i]), values[i], largest / 127 * 0.6);
      EXPECT_NEAR(widened(Float16{int4.scale}) * static_cast<float>(int4.codes[i]), values[i], largest / 7 * 1.1);
    }
  }
  GroupValues wrong{};
  wrong[9] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(std::isnan(widened(Float16{rounded_int8(wrong.data()).scale})));
  EXPECT_TRUE(std::isnan(widened(Float16{rounded_int4(wrong.data()).scale})));
}

Tensor filled(Shape shape, const std::function<float(int64_t, int64_t)>& value) {
  Tensor x = Tensor::allocate(shape, DType::float32);
  for (int64_t i = 0; i < x.rows(); ++i) {
    for (int64_t j = 0; j < x.columns(); ++j) x.row<float>(i)[j] = value(i, j);
  }
  return x;
}

Tensor random_of(Shape shape, uint64_t stream) {
  Generator generator({3, stream});
  return filled(shape, [&](int64_t, int64_t) { return static_cast<float>(generator.normal()); });
}

// The rows of a weight as a form holds them.
Tensor held(GroupedForm form, const Shape& shape) {
  Generator generator({4, static_cast<uint64_t>(form)});
  return filled(shape, [&](int64_t i, int64_t j) {
    const float scale = as_half(0.01f * static_cast<float>(1 + (i + j / kGroup) % 5));
    const auto code = static_cast<float>(generator.below(form == GroupedForm::int8 ? 256 : 16));
    if (form == GroupedForm::int8) return scale * (code - 128);
    return form == GroupedForm::int4 ? scale * (code - 8) : scale * code + as_half(-0.3f * scale);
  });
}

std::vector<float> product(Backend& backend, const GroupedMatrix& matrix, const Tensor& x) {
  const Tensor out = backend.empty({x.rows(), matrix.outputs()});
  multiply_grouped(backend.pool(), x, matrix, {.out = out.data<float>(), .out_stride = out.row_stride()});
  return {out.data<float>(), out.data<float>() + out.elements()};
}

TEST(GroupedProducts, AreWithinTheRoundingOfActivations) {
  ThreadPool pool(2);
  const auto backend = make_cpu_backend(pool);
  for (const GroupedForm form : {GroupedForm::int8, GroupedForm::int4, GroupedForm::int4_minimum}) {
    for (const auto& [outputs, depth] : {std::pair{5, 7}, {33, 64}, {70, 1030}}) {
      const Tensor rows = held(form, {outputs, depth});
      const Precision precision = form == GroupedForm::int8 ? Precision::int8 : Precision::int4;
      const GroupedMatrix matrix(*backend, precision, rows);
      if (depth > 7) {
        EXPECT_EQ(matrix.form(), form);  // few numbers may be of several forms
      }
      EXPECT_TRUE(matrix.finite());
      const Tensor x = random_of({9, depth}, 5);
      const std::vector<float> out = product(*backend, matrix, x);
      for (int64_t i = 0; i < x.rows(); ++i) {
        for (int64_t o = 0; o < outputs; ++o) {
          double sum = 0, error = 0;
          for (int64_t g = 0; g < depth; g += kGroup) {
            double largest = 0, of_weights = 0;
            for (int64_t k = g; k < std::min<int64_t>(depth, g + kGroup); ++k) {
              const double a = x.row<float>(i)[k], b = rows.row<float>(o)[k];
              sum += a * b;
              error += std::abs(a * b) * 0x1p-20;
              largest = std::max(largest, std::abs(a));
              of_weights += std::abs(b);
            }
            error += largest / 127 / 2 * of_weights * 1.001;
          }
          EXPECT_NEAR(out[static_cast<size_t>(i * outputs + o)], sum, error) << i << ", " << o;
        }
      }
    }
  }
}

TEST(GroupedProducts, HaveTheSameBitsAloneAndOnAnyNumberOfThreads) {
  ThreadPool one(1), many(64, 3);
  const auto first = make_cpu_backend(one), second = make_cpu_backend(many);
  const Tensor rows = held(GroupedForm::int4_minimum, {200, 96}), x = random_of({131, 96}, 6);
  const GroupedMatrix matrix(*first, Precision::int4, rows), again(*second, Precision::int4, rows);
  const std::vector<float> all = product(*first, matrix, x);
  EXPECT_EQ(product(*second, again, x), all);
  for (const int64_t row : {0, 5, 130}) {
    const std::vector<float> alone = product(*first, matrix, x.row_range(row, 1));
    EXPECT_TRUE(std::equal(alone.begin(), alone.end(), all.begin() + row * 200)) << row;
  }
}

TEST(GroupedProducts, AgreeOnAllInstructionSets) {
  GroupedRows x{.groups = 3, .codes = {}, .scales = {}, .sums = {}};
  Generator generator({9, 0});
  constexpr int64_t kRows = 4;
  for (int64_t g = 0; g < kRows * x.groups; ++g) {
    int32_t sum = 0;
    for (int64_t k = 0; k < kGroup; ++k) {
      x.codes.push_back(static_cast<int8_t>(static_cast<int>(generator.below(255)) - 127));
      sum += x.codes.back();
    }
    x.sums.push_back(sum);
    x.scales.push_back(static_cast<float>(generator.uniform()));
  }
  ThreadPool pool(1);
  const auto backend = make_cpu_backend(pool);
  for (const GroupedForm form : {GroupedForm::int8, GroupedForm::int4, GroupedForm::int4_minimum}) {
    const Precision precision = form == GroupedForm::int8 ? Precision::int8 : Precision::int4;
    const GroupedMatrix matrix(*backend, precision, held(form, {32, 96}));
    ASSERT_EQ(matrix.form(), form);
    for (int64_t rows = 1; rows <= kRows; ++rows) {
      std::vector<float> expected(static_cast<size_t>(rows * tile::kPanel));
      tile::multiply_groups(x, 0, rows, form, matrix.panel(0), expected.data());
      for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
        hwy::SetSupportedTargetsForTest(target);
        std::vector<float> out(expected.size());
        tile::multiply_groups_emulated(x, 0, rows, form, matrix.panel(0), out.data());
        for (size_t i = 0; i < out.size(); ++i) {
          EXPECT_NEAR(out[i], expected[i], 1e-5 * (1 + std::abs(expected[i]))) << hwy::TargetName(target);
        }
      }
      hwy::SetSupportedTargetsForTest(0);
    }
  }
}

TEST(GroupedWeights, KeepIntegersOfOtherWidthsInInt8) {
  ThreadPool pool(1);
  const auto backend = make_cpu_backend(pool);
  EXPECT_EQ(GroupedMatrix(*backend, Precision::int4, held(GroupedForm::int8, {40, 64})).form(), GroupedForm::int8);
  EXPECT_EQ(GroupedMatrix(*backend, Precision::int4, random_of({40, 64}, 1)).form(), GroupedForm::int4);
  Tensor wrong = random_of({40, 64}, 1);
  wrong.row<float>(7)[8] = std::numeric_limits<float>::infinity();
  EXPECT_FALSE(GroupedMatrix(*backend, Precision::int4, wrong).finite());
  EXPECT_FALSE(GroupedMatrix(*backend, Precision::int8, wrong).finite());
}

}  // namespace
}  // namespace roformer
