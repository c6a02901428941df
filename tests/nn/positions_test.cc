// Encodings inside attention against the equations of the RoFormer paper: each score computed from the named
// parameters.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "nn/positions.h"
#include "tests/backend/trial.h"
#include "tests/base/error_detail.h"

namespace roformer::test {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

constexpr int64_t kHidden = 8, kHeads = 2, kDim = kHidden / kHeads;

using Row = std::vector<double>;

double dot(const Row& a, const Row& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

class PositionsTest : public ::testing::Test {
 protected:
  // Attention of two sequences with this encoding; every parameter random.
  void attend(const PositionEncoding& encoding) {
    const PositionsConfig shape{encoding, kHidden, kHeads, {.epsilon = 1e-5}};
    NewParameters source(*backend_, false);
    trunk_ = std::make_unique<TrunkPositions>(Scope{source, "trunk"}, shape);
    layer_ = std::make_unique<LayerPositions>(Scope{source, "layer"}, shape);
    for (const auto& [spec, parameter] : source.table()) {
      backend_->copy(trial_.random(parameter.value.rows(), parameter.value.columns()),
                     parameter.value.reshaped({parameter.value.rows(), parameter.value.columns()}));
      tensors_[spec.name] = parameter.value;
    }
    const Context context{.backend = *backend_};
    const auto shared = trunk_->forward(context, positions_, offsets_);
    const Tensor qkv = backend_->empty(qkv_.shape());  // attention may overwrite it
    backend_->copy(qkv_, qkv);
    const AttentionOptions options{.heads = kHeads, .query_offsets = offsets_, .key_offsets = offsets_};
    out_ =
        layer_
            ->attend(context, options, split<3>(Value(qkv), {kHidden, kHidden, kHidden}), projection_, *shared.front())
            .data;
  }

  // q, k or v (part 0, 1 or 2) of a token and head.
  Row part(int64_t which, int64_t token, int64_t head) const {
    const std::vector<double> row = values_of(qkv_.row_range(token, 1));
    const auto begin = row.begin() + which * kHidden + head * kDim;
    return {begin, begin + kDim};
  }
  Row row(const std::string& name, int64_t index) const { return values_of(tensors_.at(name).row_range(index, 1)); }
  static Row head_of(const Row& row, int64_t head) {
    return {row.begin() + head * kDim, row.begin() + (head + 1) * kDim};
  }
  // W·x, with W [out, in] a parameter or rows of the projection.
  static Row times(const Tensor& weight, const Row& x) {
    Row result;
    for (int64_t i = 0; i < weight.rows(); ++i) result.push_back(dot(values_of(weight.row_range(i, 1)), x));
    return result;
  }
  static Row normalized(Row x, const Row& gain, const Row& bias) {
    double mean = 0, variance = 0;
    for (const double value : x) mean += value / static_cast<double>(x.size());
    for (const double value : x) variance += (value - mean) * (value - mean) / static_cast<double>(x.size());
    for (size_t i = 0; i < x.size(); ++i) x[i] = (x[i] - mean) / std::sqrt(variance + 1e-5) * gain[i] + bias[i];
    return x;
  }
  Row normal_row(int64_t index) const {
    return normalized(row("trunk.rows.weight", index), values_of(tensors_.at("trunk.rows_norm.weight")),
                      values_of(tensors_.at("trunk.rows_norm.bias")));
  }
  double bias(const DistanceBuckets& buckets, int64_t r, int64_t head) const {
    return row("trunk.bias.weight", distance_bucket(buckets, r))[static_cast<size_t>(head)];
  }

  // Compares with softmax(score) · value. score(q, k, r, head, i, j) and value(v, r): r = key position − query
  // position.
  using Score = std::function<double(const Row&, const Row&, int64_t, int64_t, int64_t, int64_t)>;
  using ValueOf = std::function<Row(Row, int64_t)>;
  void expect(
      const Score& score, const ValueOf& value = [](Row v, int64_t) { return v; }) const {
    for (size_t s = 0; s + 1 < offsets_.size(); ++s) {
      for (int64_t head = 0; head < kHeads; ++head) {
        for (int64_t i = offsets_[s]; i < offsets_[s + 1]; ++i) {
          double total = 0;
          Row sums(kDim);
          for (int64_t j = offsets_[s]; j < offsets_[s + 1]; ++j) {
            const int64_t r = positions_[static_cast<size_t>(j)] - positions_[static_cast<size_t>(i)];
            const double weight = std::exp(score(part(0, i, head), part(1, j, head), r, head, i, j));
            const Row v = value(part(2, j, head), r);
            total += weight;
            for (size_t c = 0; c < kDim; ++c) sums[c] += weight * v[c];
          }
          const Row actual = head_of(values_of(out_.row_range(i, 1)), head);
          for (size_t c = 0; c < kDim; ++c) EXPECT_NEAR(actual[c], sums[c] / total, 1e-9) << i << ", head " << head;
        }
      }
    }
  }

  ThreadPool pool_{1};
  std::unique_ptr<Backend> backend_ = make_reference_backend(pool_, DType::float64);
  Trial trial_{*backend_, 3, false};
  const std::vector<int32_t> positions_ = {3, 4, 5, 6, 7, 8, 9, 0, 1}, offsets_ = {0, 7, 9};
  const Tensor qkv_ = trial_.random(9, 3 * kHidden);
  NewParameters projection_source_{*backend_, false};
  LinearLayer projection_{Scope{projection_source_, "projection"}, kHidden, 3 * kHidden};
  std::unique_ptr<TrunkPositions> trunk_;
  std::unique_ptr<LayerPositions> layer_;
  std::map<std::string, Tensor> tensors_;
  Tensor out_;
};

const double kRoot = std::sqrt(static_cast<double>(kDim));

TEST_F(PositionsTest, ShawEquation5) {
  attend(ShawPosition{.clip = 2});
  const auto clipped = [](int64_t r) { return std::clamp<int64_t>(r, -2, 2) + 2; };
  const auto added = [](Row x, const Row& y) {
    for (size_t i = 0; i < x.size(); ++i) x[i] += y[i];
    return x;
  };
  expect([&](const Row& q, const Row& k, int64_t r,
             auto...) { return dot(q, added(k, row("layer.keys.weight", clipped(r)))) / kRoot; },
         [&](const Row& v, int64_t r) { return added(v, row("layer.values.weight", clipped(r))); });
}

TEST_F(PositionsTest, NezhaIsShawWithSinusoids) {
  attend(ShawPosition{.clip = 64, .sinusoidal = true});
  const auto added = [](Row x, int64_t r) {
    for (int64_t c = 0; c < kDim; ++c) {
      const double angle = static_cast<double>(r + 64) * std::pow(10000.0, -static_cast<double>(c / 2 * 2) / kDim);
      x[static_cast<size_t>(c)] += c % 2 == 0 ? std::sin(angle) : std::cos(angle);
    }
    return x;
  };
  expect([&](const Row& q, const Row& k, int64_t r, auto...) { return dot(q, added(k, r)) / kRoot; }, added);
}

TEST_F(PositionsTest, TransformerXlEquation7) {
  attend(TransformerXlPosition{});
  expect([&](const Row& q, const Row& k, int64_t r, int64_t head, auto...) {
    Row sinusoids;
    for (int64_t c = 0; c < kHidden; ++c) {
      const double angle = static_cast<double>(-r) * std::pow(10000.0, -2.0 * static_cast<double>(c % 4) / kHidden);
      sinusoids.push_back(c < 4 ? std::sin(angle) : std::cos(angle));
    }
    const Row key = head_of(times(tensors_.at("layer.distances.weight"), sinusoids), head);
    const Row u = head_of(values_of(tensors_.at("trunk.u")), head);
    const Row v = head_of(values_of(tensors_.at("trunk.v")), head);
    return (dot(q, k) + dot(q, key) + dot(u, k) + dot(v, key)) / kRoot;
  });
}

TEST_F(PositionsTest, T5Equation8) {
  const DistanceBuckets buckets{.count = 8, .max_distance = 5};
  attend(T5Position{buckets});
  expect([&](const Row& q, const Row& k, int64_t r, int64_t head, auto...) {
    return dot(q, k) / kRoot + bias(buckets, r, head);
  });
}

TEST_F(PositionsTest, TupeEquation9) {
  const DistanceBuckets buckets{.count = 8, .max_distance = 5};
  attend(TupePosition{.max_positions = 12, .buckets = buckets});
  const auto of_position = [&](const std::string& name, int64_t token, int64_t head) {
    return head_of(times(tensors_.at(name), normal_row(positions_[static_cast<size_t>(token)])), head);
  };
  expect([&](const Row& q, const Row& k, int64_t r, int64_t head, int64_t i, int64_t j) {
    const double places = dot(of_position("trunk.query.weight", i, head), of_position("trunk.key.weight", j, head));
    return (dot(q, k) + places) / (kRoot * std::sqrt(2.0)) + bias(buckets, r, head);
  });
}

TEST_F(PositionsTest, DebertaEquation10) {
  backend_->copy(trial_.random(3 * kHidden, kHidden), projection_.weight.value);
  backend_->copy(trial_.random(1, 3 * kHidden), projection_.bias.value.reshaped({1, 3 * kHidden}));
  attend(DebertaPosition{.clip = 3});
  const auto projected = [&](int64_t which, int64_t r, int64_t head) {
    Row x = times(projection_.weight.value.row_range(which * kHidden, kHidden),
                  normal_row(std::clamp<int64_t>(r, -3, 3) + 3));
    const Row b = values_of(projection_.bias.value);
    for (size_t c = 0; c < x.size(); ++c) x[c] += b[static_cast<size_t>(which * kHidden) + c];
    return head_of(x, head);
  };
  expect([&](const Row& q, const Row& k, int64_t r, int64_t head, auto...) {
    return (dot(q, k) + dot(q, projected(1, r, head)) + dot(projected(0, r, head), k)) / (kRoot * std::sqrt(3.0));
  });
}

TEST_F(PositionsTest, Alibi) {
  attend(AlibiPosition{});
  expect([&](const Row& q, const Row& k, int64_t r, int64_t head, auto...) {
    return dot(q, k) / kRoot - alibi_slope(head, kHeads) * static_cast<double>(std::abs(r));
  });
}

TEST_F(PositionsTest, Kerple) {
  attend(KerplePosition{});
  expect([&](const Row& q, const Row& k, int64_t r, int64_t head, auto...) {
    const double r1 = std::exp(row("layer.log_bias", 0)[static_cast<size_t>(head)]);
    const double r2 = std::exp(row("layer.log_bias", 1)[static_cast<size_t>(head)]);
    return dot(q, k) / kRoot - r1 * std::log(1 + r2 * static_cast<double>(std::abs(r)));
  });
}

TEST_F(PositionsTest, XPosDependsOnTheDistanceAlone) {
  attend(RotaryPosition{.rotary = {.dim = kDim}, .xpos = XPos{.scale_base = 8, .center = 0}});
  expect([&](const Row& q, const Row& k, int64_t r, auto...) {
    double sum = 0;
    for (size_t i = 0; i < kDim / 2; ++i) {
      const double theta = std::pow(10000.0, -2.0 * static_cast<double>(i) / kDim);
      const double zeta = (2.0 * static_cast<double>(i) / kDim + 0.4) / 1.4, angle = static_cast<double>(r) * theta;
      const double same = q[2 * i] * k[2 * i] + q[2 * i + 1] * k[2 * i + 1];
      const double crossed = q[2 * i + 1] * k[2 * i] - q[2 * i] * k[2 * i + 1];
      sum += std::pow(zeta, static_cast<double>(-r) / 8) * (same * std::cos(angle) + crossed * std::sin(angle));
    }
    return sum / kRoot;
  });
}

TEST_F(PositionsTest, PositionsBeyondATableAreRefused) {
  const auto beyond = [&] { attend(TupePosition{.max_positions = 9, .buckets = {}}); };
  EXPECT_THAT(beyond, ThrowsMessage<DataError>(HasSubstr("position 9 is beyond the model's 9 positions")));
  EXPECT_EQ(detail_of<DataError>(beyond).key, "max_position_embeddings");
}

}  // namespace
}  // namespace roformer::test
