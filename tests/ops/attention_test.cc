// Attention with its position encoding: rotation, relative terms and dropout, through the tape.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "base/error.h"
#include "ops/ops.h"
#include "tests/ops/gradient_check.h"

namespace roformer::test {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

constexpr int64_t kHeads = 2, kHeadDim = 4, kHidden = kHeads * kHeadDim, kClip = 2;

enum class Projections { fused, separate, query_and_pair };  // one [T, 3H]; three; q and [Tk, 2H]

struct AttentionCase {
  const char* name;
  Projections projections = Projections::fused;
  std::optional<Rotary> rotary = {};
  bool rotate_values = false;
  bool terms = false, shared_tables = false;
  double dropout = 0;
  std::vector<int32_t> query_offsets = {0, 1, 1, 4, 6};
  std::vector<int32_t> key_offsets = {0, 1, 1, 4, 6};
  std::vector<int32_t> key_ends = {}, key_starts = {};
  double score_cap = 0;
};

void PrintTo(const AttentionCase& attention, std::ostream* out) { *out << attention.name; }

class AttentionTest : public OperatorTest, public ::testing::WithParamInterface<AttentionCase> {};

TEST_P(AttentionTest, MatchesCentralDifferences) {
  const AttentionCase& param = GetParam();
  const int64_t queries = param.query_offsets.back(), keys = param.key_offsets.back();
  const std::vector<int32_t> query_positions = trial_.random_ids(queries, 9);
  const std::vector<int32_t> key_positions =
      param.query_offsets == param.key_offsets ? query_positions : trial_.random_ids(keys, 9);
  OperatorCheck check;
  AttentionPositions positions;
  if (param.rotary) {
    positions.query_angles = shared_angles(backend_->rotary_angles(*param.rotary, query_positions));
    positions.key_angles = shared_angles(backend_->rotary_angles(*param.rotary, key_positions));
    positions.rotate_values = param.rotate_values;
  }
  std::vector<Parameter> tables;  // bias, then query, key and value table
  std::vector<int32_t> distances(2 * kClip + 1);
  std::iota(distances.begin(), distances.end(), 0);
  if (param.terms) {
    tables = {parameter(2 * kClip + 1, kHeads), parameter(2 * kClip + 1, kHidden),
              parameter(2 * kClip + 1, param.shared_tables ? kHeadDim : kHidden),
              parameter(2 * kClip + 1, param.shared_tables ? kHeadDim : kHidden)};
    check.parameters = {
        {"bias", tables[0]}, {"query table", tables[1]}, {"key table", tables[2]}, {"value table", tables[3]}};
  }
  const auto with_terms = [&](const Context& context) {
    AttentionPositions result = positions;
    if (!param.terms) return result;
    const auto value = [&](size_t i) {
      const Lookup lookup{tables[i], distances, "distance"};
      return embedding(context, {&lookup, 1});
    };
    result.terms = {kClip, query_positions, key_positions, value(0), value(1), value(2), value(3)};
    return result;
  };
  const AttentionOptions options{.heads = kHeads,
                                 .query_offsets = param.query_offsets,
                                 .key_offsets = param.key_offsets,
                                 .key_ends = param.key_ends,
                                 .key_starts = param.key_starts,
                                 .score_cap = param.score_cap,
                                 .dropout = {.probability = param.dropout, .stream = {.seed = 2, .stream = 6}}};
  switch (param.projections) {
    case Projections::fused: check.inputs = {{"qkv", trial_.random(queries, 3 * kHidden)}}; break;
    case Projections::separate:
      check.inputs = {{"q", trial_.random(queries, kHidden)},
                      {"k", trial_.random(keys, kHidden)},
                      {"v", trial_.random(keys, kHidden)}};
      break;
    case Projections::query_and_pair:
      check.inputs = {{"q", trial_.random(queries, kHidden)}, {"kv", trial_.random(keys, 2 * kHidden)}};
      break;
  }
  check.apply = [&](const Context& context, const std::vector<Value>& in) {
    const AttentionPositions given = with_terms(context);
    switch (param.projections) {
      case Projections::fused:
        return attention(context, options, columns_of(in[0], 0, kHidden), columns_of(in[0], kHidden, kHidden),
                         columns_of(in[0], 2 * kHidden, kHidden), given);
      case Projections::separate:
        return attention(context, options, columns_of(in[0], 0, kHidden), columns_of(in[1], 0, kHidden),
                         columns_of(in[2], 0, kHidden), given);
      case Projections::query_and_pair:
        return attention(context, options, columns_of(in[0], 0, kHidden), columns_of(in[1], 0, kHidden),
                         columns_of(in[1], kHidden, kHidden), given);
    }
    return Value();
  };
  expect_gradients(trial_, check);
}

constexpr Rotary kAdjacent{.dim = kHeadDim, .layout = RotaryLayout::adjacent};
constexpr Rotary kHalf{.dim = kHeadDim, .layout = RotaryLayout::half};
constexpr Rotary kPartial{.dim = 2, .layout = RotaryLayout::half};

// Four heads of queries on two and on one of keys and values, in one projection, rotated.
TEST_F(OperatorTest, GroupedAttention) {
  const std::vector<int32_t> offsets = {0, 1, 1, 4, 6}, limits = {1, 1, 2, 3, 1, 2};
  const std::vector<int32_t> all_positions = trial_.random_ids(6, 9);
  for (const int64_t kv_heads : {2, 1}) {
    for (const bool rotate_values : {false, true}) {
      SCOPED_TRACE(::testing::Message() << kv_heads << ", values rotated: " << rotate_values);
      const auto angles = shared_angles(backend_->rotary_angles(kHalf, all_positions));
      const int64_t queries = 4 * kHeadDim, keys = kv_heads * kHeadDim;
      const AttentionOptions options{.heads = 4,
                                     .kv_heads = kv_heads,
                                     .query_offsets = offsets,
                                     .key_offsets = offsets,
                                     .key_ends = limits,
                                     .dropout = {.probability = 0.3, .stream = {.seed = 2, .stream = 6}}};
      OperatorCheck check{.inputs = {{"qkv", trial_.random(6, queries + 2 * keys)}}, .parameters = {}, .apply = {}};
      check.apply = [&](const Context& context, const std::vector<Value>& in) {
        return attention(context, options, columns_of(in[0], 0, queries), columns_of(in[0], queries, keys),
                         columns_of(in[0], queries + keys, keys),
                         {.query_angles = angles, .key_angles = angles, .rotate_values = rotate_values});
      };
      expect_gradients(trial_, check);
    }
  }
}

// Heads that share keys give the same as heads with copies of them.
TEST_F(OperatorTest, GroupedAttentionIsThatOfRepeatedKeys) {
  const std::vector<int32_t> offsets = {0, 2, 5};
  const Tensor q = trial_.random(5, 4 * kHeadDim), k = trial_.random(5, 2 * kHeadDim), v = trial_.random(5, 2 * 3);
  const auto repeated = [&](const Tensor& x, int64_t dim) {
    const Tensor wide = backend_->empty({5, 4 * dim});
    for (int64_t head = 0; head < 4; ++head) {
      backend_->copy(x.column_range(head / 2 * dim, dim), wide.column_range(head * dim, dim));
    }
    return Value(wide);
  };
  AttentionOptions options{.heads = 4, .kv_heads = 2, .query_offsets = offsets, .key_offsets = offsets};
  const Context context{.backend = *backend_};
  const Value few = attention(context, options, columns_of(Value(q), 0, 16), columns_of(Value(k), 0, 8),
                              columns_of(Value(v), 0, 6), {});
  options.kv_heads = 0;
  const Value many = attention(context, options, columns_of(Value(q), 0, 16), columns_of(repeated(k, kHeadDim), 0, 16),
                               columns_of(repeated(v, 3), 0, 12), {});
  EXPECT_EQ(values_of(few.data), values_of(many.data));
}

INSTANTIATE_TEST_SUITE_P(
    , AttentionTest,
    ::testing::Values(
        AttentionCase{.name = "plain"}, AttentionCase{.name = "separate", .projections = Projections::separate},
        AttentionCase{.name = "adjacent", .rotary = kAdjacent}, AttentionCase{.name = "half", .rotary = kHalf},
        AttentionCase{.name = "partial", .rotary = kPartial},
        AttentionCase{.name = "values", .rotary = kAdjacent, .rotate_values = true},
        AttentionCase{.name = "values_half_separate",
                      .projections = Projections::separate,
                      .rotary = kHalf,
                      .rotate_values = true},
        AttentionCase{.name = "dropout", .rotary = kAdjacent, .dropout = 0.4},
        AttentionCase{.name = "terms", .terms = true},
        AttentionCase{.name = "shared_terms", .terms = true, .shared_tables = true},
        AttentionCase{.name = "everything",
                      .projections = Projections::separate,
                      .rotary = kPartial,
                      .rotate_values = true,
                      .terms = true,
                      .dropout = 0.3},
        AttentionCase{.name = "causal", .rotary = kAdjacent, .dropout = 0.3, .key_ends = {1, 1, 2, 3, 1, 2}},
        AttentionCase{.name = "window_cap",
                      .rotary = kHalf,
                      .key_ends = {1, 1, 2, 3, 1, 2},
                      .key_starts = {0, 0, 1, 1, 1, 0},
                      .score_cap = 0.9},
        AttentionCase{.name = "limits_terms",
                      .projections = Projections::separate,
                      .terms = true,
                      .query_offsets = {0, 2, 3, 3, 5},
                      .key_offsets = {0, 4, 4, 5, 8},
                      .key_ends = {3, 4, 0, 3, 0}},
        AttentionCase{.name = "cross",
                      .projections = Projections::query_and_pair,
                      .rotary = kAdjacent,
                      .query_offsets = {0, 2, 3, 3, 5},
                      .key_offsets = {0, 4, 4, 5, 7}},
        AttentionCase{.name = "cross_terms",
                      .projections = Projections::separate,
                      .terms = true,
                      .query_offsets = {0, 2, 3, 3, 5},
                      .key_offsets = {0, 4, 4, 5, 7}}),
    [](const auto& param) { return std::string(param.param.name); });

class AttentionOptionsTest : public OperatorTest {
 protected:
  Value attend(const Value& q, const Value& k, const Value& v, const AttentionPositions& positions = {}) {
    const AttentionOptions options{.heads = heads_,
                                   .kv_heads = kv_heads_,
                                   .scale = scale_,
                                   .query_offsets = query_offsets_,
                                   .key_offsets = key_offsets_,
                                   .key_ends = key_limits_,
                                   .key_starts = key_begins_,
                                   .score_cap = score_cap_};
    return attention({.backend = *backend_}, options, Columns(Value(q)), Columns(Value(k)), Columns(Value(v)),
                     positions);
  }
  Value columns(int64_t rows, int64_t count) { return Value(trial_.random(rows, count)); }
  // The message of the ShapeError that `positions` gives with six queries and keys.
  std::string refusal(const AttentionPositions& positions) {
    try {
      attend(columns(6, kHidden), columns(6, kHidden), columns(6, kHidden), positions);
    } catch (const ShapeError& error) {
      return error.what();
    }
    return "accepted";
  }

  int64_t heads_ = kHeads, kv_heads_ = 0;
  double scale_ = 0, score_cap_ = 0;
  std::vector<int32_t> query_offsets_ = {0, 1, 1, 4, 6}, key_offsets_ = query_offsets_, key_limits_, key_begins_;
};

// Softmax by hand: one head, one query, two keys.
TEST_F(AttentionOptionsTest, KnownWeights) {
  heads_ = 1;
  query_offsets_ = {0, 1};
  key_offsets_ = {0, 2};
  const Value q(backend_->empty({1, 4})), k(backend_->empty({2, 4})), v(backend_->empty({2, 4}));
  assign(q.data, {2, 0, 0, 0});
  assign(k.data, {std::log(3.0), 0, 0, 0, 0, 5, 5, 5});
  assign(v.data, {1, 0, 0, 0, 0, 1, 0, 8});
  const auto expect_row = [](const Tensor& out, const std::vector<double>& row) {
    for (int64_t j = 0; j < 4; ++j) EXPECT_NEAR(read(out, 0, j), row[static_cast<size_t>(j)], 1e-14);
  };
  expect_row(attend(q, k, v).data, {0.75, 0.25, 0, 2});  // 1/√4 · 2 · log 3
  scale_ = 1;
  expect_row(attend(q, k, v).data, {0.9, 0.1, 0, 0.8});
  score_cap_ = 1;  // tanh(2 · log 3) = 40 / 41
  const double weight = 1 / (1 + std::exp(-40.0 / 41));
  expect_row(attend(q, k, v).data, {weight, 1 - weight, 0, 8 * (1 - weight)});
  key_begins_ = {1};
  expect_row(attend(q, k, v).data, {0, 1, 0, 8});
}

TEST_F(AttentionOptionsTest, ConstantsBesideTrackedInputs) {
  const Value q(trial_.random(6, kHidden));
  const auto angles = shared_angles(backend_->rotary_angles(kAdjacent, std::vector<int32_t>{0, 0, 1, 2, 0, 1}));
  const auto apply = [&](const Context& context, const std::vector<Value>& in) {
    const Value copy(backend_->empty(q.data.shape()));
    backend_->copy(q.data, copy.data);
    const AttentionOptions options{.heads = kHeads, .query_offsets = query_offsets_, .key_offsets = key_offsets_};
    return attention(context, options, columns_of(copy, 0, kHidden), columns_of(in[0], 0, kHidden),
                     columns_of(in[0], kHidden, kHidden), {.query_angles = angles, .key_angles = angles});
  };
  expect_gradients(trial_, {{{"kv", trial_.random(6, 2 * kHidden)}}, {}, apply});
}

TEST_F(AttentionOptionsTest, RefusesShapes) {
  const Value q = columns(6, 8), k = columns(6, 8), v = columns(6, 8);
  heads_ = 3;
  EXPECT_THAT([&] { attend(q, k, v); },
              ThrowsMessage<ShapeError>(HasSubstr("3 heads of q 8 columns, 3 of k 8 and v 8 columns")));
  heads_ = 0;
  EXPECT_THROW(attend(q, k, v), ShapeError);
  heads_ = 2;
  EXPECT_THAT([&] { attend(q, columns(6, 4), v); }, ThrowsMessage<ShapeError>(HasSubstr("2 of k 4")));
  EXPECT_THAT([&] { attend(q, k, columns(5, 8)); }, ThrowsMessage<ShapeError>(HasSubstr("value is [5, 8]")));
  EXPECT_THROW(columns_of(q, 1, 8), ShapeError);
  for (const int64_t kv_heads : {-1, 2, 4}) {
    kv_heads_ = kv_heads;  // columns of a single head
    EXPECT_THROW(attend(q, columns(6, 4), columns(6, 4)), ShapeError) << kv_heads;
  }
  kv_heads_ = 1;
  EXPECT_NO_THROW(attend(q, columns(6, 4), columns(6, 4)));
  kv_heads_ = 0;

  const std::vector<std::vector<int32_t>> wrong = {{}, {0, 5}, {1, 6}, {0, 7}, {0, 4, 3, 6}, {0, -1, 6}};
  for (const auto& offsets : wrong) {
    query_offsets_ = offsets;
    EXPECT_THAT([&] { attend(q, k, v); }, ThrowsMessage<ShapeError>(HasSubstr("query offsets do not rise")));
    query_offsets_ = key_offsets_;
    key_offsets_ = offsets;
    EXPECT_THAT([&] { attend(q, k, v); }, ThrowsMessage<ShapeError>(HasSubstr("key offsets do not rise")));
    key_offsets_ = query_offsets_;
  }
  key_offsets_ = {0, 6};
  EXPECT_THAT([&] { attend(q, k, v); }, ThrowsMessage<ShapeError>(HasSubstr("4 query sequences, 1 key")));
}

TEST_F(AttentionOptionsTest, RefusesKeyLimits) {
  key_offsets_ = {0, 2, 3, 4, 6};
  const auto refused = [&](const std::vector<int32_t>& limits) {
    key_limits_ = limits;
    return refusal({});
  };
  EXPECT_EQ(refused({2, 1, 0, 1, 2, 2}), "accepted");
  EXPECT_THAT(refused({2, 1, 1, 1, 2}), HasSubstr("5 key limits for 6 queries"));
  EXPECT_THAT(refused({3, 1, 1, 1, 2, 2}), HasSubstr("the key limit 3 of query 0 is outside 0..2"));
  EXPECT_THAT(refused({2, 1, 2, 1, 2, 2}), HasSubstr("the key limit 2 of query 2 is outside 0..1"));
  EXPECT_THAT(refused({2, 1, 1, 1, 2, -1}), HasSubstr("the key limit -1 of query 5 is outside 0..2"));
  key_limits_.clear();
  key_begins_ = {3, 0, 0, 0, 0, 0};
  EXPECT_THAT(refusal({}), HasSubstr("the key begin 3 of query 0 is outside 0..2"));
  key_begins_ = {2, 1};
  EXPECT_THAT(refusal({}), HasSubstr("2 key begins for 6 queries"));
  key_begins_.clear();
  score_cap_ = -1;
  EXPECT_THAT(refusal({}), HasSubstr("the score cap is -1"));
}

// Invisible keys have no influence, whatever they are; a query without keys gives 0.
TEST(KeyLimitsTest, UnseenKeysDoNotMatter) {
  ThreadPool pool(2);
  for (const char* device : {"cpu", "reference"}) {
    SCOPED_TRACE(device);
    const auto backend = make_backend(device, pool);
    const std::vector<int32_t> offsets = {0, 150, 153};
    std::vector<int32_t> limits(153, 40), begins(153, 0);
    std::fill_n(begins.begin(), 150, 5);
    limits[151] = 0;
    limits[150] = limits[152] = 1;
    const auto run = [&](float unseen) {
      Trial trial(*backend, 9, false);
      const auto input = [&] { return Value::tracking(trial.random(153, 6)); };
      const Value q = input(), k = input(), v = input();
      for (const Value& x : {k, v}) {
        std::fill(x.data.row<float>(0), x.data.row<float>(5), unseen);
        std::fill(x.data.row<float>(40), x.data.row<float>(150), unseen);
        std::fill(x.data.row<float>(151), x.data.row<float>(153), unseen);
      }
      Tape tape;
      const AttentionOptions options{
          .heads = 2, .query_offsets = offsets, .key_offsets = offsets, .key_ends = limits, .key_starts = begins};
      const Value out = attention({.backend = *backend, .tape = &tape}, options, columns_of(q, 0, 6),
                                  columns_of(k, 0, 6), columns_of(v, 0, 6), {});
      *out.gradient = trial.random(153, 6);
      tape.backward();
      std::vector<double> all = values_of(out.data);
      for (const Value& x : {q, k, v}) {
        const std::vector<double> gradient = values_of(*x.gradient);
        all.insert(all.end(), gradient.begin(), gradient.end());
      }
      return all;
    };
    const std::vector<double> zeros = run(0);
    EXPECT_EQ(run(1e30f), zeros);
    for (const double value : zeros) ASSERT_TRUE(std::isfinite(value));
    for (size_t c = 0; c < 6; ++c) EXPECT_EQ(zeros[151 * 6 + c], 0);
    for (size_t c = 0; c < 6; ++c) EXPECT_EQ(zeros[(153 + 151) * 6 + c], 0);
  }
}

TEST_F(AttentionOptionsTest, RefusesAngles) {
  const auto five = shared_angles(backend_->rotary_angles(kAdjacent, std::vector<int32_t>{0, 1, 2, 3, 4}));
  const auto wide = shared_angles(backend_->rotary_angles({.dim = 6}, std::vector<int32_t>{0, 1, 2, 3, 4, 5}));
  EXPECT_THAT(refusal({.query_angles = five}), HasSubstr("5 query angles for 6 tokens"));
  EXPECT_THAT(refusal({.key_angles = five}), HasSubstr("5 key angles for 6 tokens"));
  EXPECT_THAT(refusal({.query_angles = wide}), HasSubstr("rotates 6 elements of heads of 4"));
  EXPECT_THAT(refusal({.key_angles = wide}), HasSubstr("rotates 6 elements of heads of 4"));
}

TEST_F(AttentionOptionsTest, RefusesTerms) {
  const std::vector<int32_t> six(6), five(5);
  const Value bias(trial_.random(5, kHeads)), table(trial_.random(5, kHidden)), shared(trial_.random(5, kHeadDim));
  const auto random = [&](int64_t rows, int64_t columns) { return Value(trial_.random(rows, columns)); };
  const auto terms = [&](const RelativeValues& relative) { return refusal({.terms = relative}); };
  EXPECT_EQ(terms({2, six, six, bias, table, table, table}), "accepted");
  EXPECT_EQ(terms({2, six, six, bias, shared, table, shared}), "accepted");
  EXPECT_THAT(terms({2, five, six, bias, {}, {}, {}}), HasSubstr("5 query positions for 6 tokens"));
  EXPECT_THAT(terms({2, six, five, {}, table, {}, {}}), HasSubstr("5 key positions for 6 tokens"));
  EXPECT_THAT(terms({1, six, six, bias, {}, {}, {}}), HasSubstr("relative bias is [5, 2], expected [3, 2]"));
  EXPECT_THAT(terms({2, six, six, random(5, 1), {}, {}, {}}), HasSubstr("relative bias is [5, 1]"));
  EXPECT_THAT(terms({1, six, six, {}, table, {}, {}}), HasSubstr("query table is [5, 8], expected [3, 8]"));
  EXPECT_THAT(terms({2, six, six, {}, {}, random(5, 3), {}}), HasSubstr("key table is [5, 3]"));
  EXPECT_THAT(terms({2, six, six, {}, {}, {}, random(4, 8)}), HasSubstr("value table is [4, 8]"));
  EXPECT_THAT(terms({-1, six, six, bias, {}, {}, {}}), HasSubstr("clip"));
}

}  // namespace
}  // namespace roformer::test
