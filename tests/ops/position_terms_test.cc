// Operators that compute score terms, and learned frequencies through attention.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <vector>

#include "base/error.h"
#include "ops/ops.h"
#include "tests/ops/gradient_check.h"

namespace roformer::test {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

class PositionTermsTest : public OperatorTest {
 protected:
  const std::vector<int32_t> offsets_ = {0, 3}, sequences_ = {0, 2, 5};
};

TEST_F(PositionTermsTest, AddVector) {
  const Parameter vector = vector_parameter(4);
  OperatorCheck check{.inputs = {{"x", trial_.random(5, 7)}}, .parameters = {{"vector", vector}}, .apply = {}};
  const std::vector<int32_t> rows = {0, 1, 2, 3, 4};
  check.apply = [&](const Context& context, const std::vector<Value>& in) {
    add_vector(context, columns_of(in[0], 2, 4), vector);
    return gather_rows(context, in[0], rows);
  };
  expect_gradients(trial_, check);

  const Tensor x = trial_.random(2, 7), before = backend_->empty(x.shape());
  backend_->copy(x, before);
  add_vector({.backend = *backend_}, columns_of(Value(x), 2, 4), vector);
  for (int64_t c = 0; c < 7; ++c) {
    const double added = c >= 2 && c < 6 ? read(vector.value, 0, c - 2) : 0;
    EXPECT_DOUBLE_EQ(read(x, 1, c), read(before, 1, c) + added);
  }
  EXPECT_THAT([&] { add_vector({.backend = *backend_}, columns_of(Value(x), 0, 7), vector); },
              ThrowsMessage<ShapeError>(HasSubstr("[4], expected [7]")));
}

TEST_F(PositionTermsTest, ConcatenateHeads) {
  OperatorCheck check{
      .inputs = {{"x", trial_.random(3, 9)}, {"y", trial_.random(3, 6)}}, .parameters = {}, .apply = {}};
  check.apply = [&](const Context& context, const std::vector<Value>& in) {
    const Columns middle = columns_of(in[0], 2, 6), first = columns_of(in[0], 0, 6);
    const Value a = concatenate_heads(context, middle, in[1], 3), b = concatenate_heads(context, first, in[1], 2);
    // Both at once, and every column of x contributes.
    return attention(context, {.heads = 1, .query_offsets = offsets_, .key_offsets = offsets_}, columns_of(a, 0, 12),
                     columns_of(b, 0, 12), columns_of(in[0], 3, 6), {});
  };
  expect_gradients(trial_, check);

  const Value x(trial_.random(1, 4)), y(trial_.random(1, 4));
  const Tensor both = concatenate_heads({.backend = *backend_}, columns_of(x, 0, 4), y, 2).data;
  const std::vector<double> a = values_of(x.data), b = values_of(y.data);
  EXPECT_THAT(values_of(both), ::testing::ElementsAre(a[0], a[1], b[0], b[1], a[2], a[3], b[2], b[3]));
}

TEST_F(PositionTermsTest, HeadProducts) {
  const Parameter u = vector_parameter(6), v = vector_parameter(6);
  OperatorCheck check{.inputs = {{"table", trial_.random(5, 6)}}, .parameters = {{"u", u}, {"v", v}}, .apply = {}};
  check.apply = [&](const Context& context, const std::vector<Value>& in) {
    return head_products(context, in[0], u, v, 3, 0.7);
  };
  expect_gradients(trial_, check);

  const Value table(trial_.random(1, 6));
  const Tensor out = head_products({.backend = *backend_}, table, u, v, 3, 0.7).data;
  const double expected = 0.7 * (read(table.data, 0, 2) * (read(v.value, 0, 2) - read(u.value, 0, 2)) +
                                 read(table.data, 0, 3) * (read(v.value, 0, 3) - read(u.value, 0, 3)));
  EXPECT_NEAR(read(out, 0, 1), expected, 1e-12);
}

TEST_F(PositionTermsTest, KerpleBias) {
  const Parameter logs = parameter(2, 3);
  OperatorCheck check{.inputs = {}, .parameters = {{"logs", logs}}, .apply = {}};
  check.apply = [&](const Context& context, const std::vector<Value>&) { return kerple_bias(context, logs, 3); };
  expect_gradients(trial_, check);

  const Tensor bias = kerple_bias({.backend = *backend_}, logs, 3).data;
  const double r1 = std::exp(read(logs.value, 0, 1)), r2 = std::exp(read(logs.value, 1, 1));
  EXPECT_NEAR(read(bias, 5, 1), -r1 * std::log(1 + r2 * 2), 1e-12);
  EXPECT_NEAR(read(bias, 1, 1), read(bias, 5, 1), 1e-15);
  EXPECT_EQ(read(bias, 3, 1), 0);
}

TEST_F(PositionTermsTest, LearnedFrequencies) {
  for (const RotaryLayout layout : {RotaryLayout::adjacent, RotaryLayout::half}) {
    for (const bool rotate_values : {false, true}) {
      const Rotary rotary{.dim = 4, .layout = layout};
      const Parameter logs = vector_parameter(2);
      const std::vector<int32_t> positions = {0, 3, 1, 5, 2};
      OperatorCheck check{.inputs = {{"qkv", trial_.random(5, 36)}}, .parameters = {{"logs", logs}}, .apply = {}};
      check.apply = [&](const Context& context, const std::vector<Value>& in) {
        std::vector<double> theta;
        for (int64_t i = 0; i < 2; ++i) theta.push_back(std::exp(read(logs.value, 0, i)));
        const auto angles = std::make_shared<RotaryAngles>(backend_->rotary_angles_of(rotary, theta, positions));
        return attention(context, {.heads = 2, .query_offsets = sequences_, .key_offsets = sequences_},
                         columns_of(in[0], 0, 12), columns_of(in[0], 12, 12), columns_of(in[0], 24, 12),
                         {.query_angles = angles,
                          .key_angles = angles,
                          .rotate_values = rotate_values,
                          .log_frequencies = logs,
                          .rotary_positions = positions});
      };
      expect_gradients(trial_, check);
    }
  }
}

}  // namespace
}  // namespace roformer::test
