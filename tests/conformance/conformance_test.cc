// Golden vectors of other programs against this project's rotations, see README.md.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "backend/backend.h"
#include "base/parallel.h"
#include "tests/conformance/vectors.h"

namespace roformer {
namespace {

constexpr double kTolerance = 1e-6;
const std::vector<std::string> kOtherFiles{"frequencies", "t5-buckets", "alibi-slopes"};

std::vector<std::string> rotation_names() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(ROFORMER_SOURCE_DIR "/tests/conformance")) {
    const std::string name = entry.path().stem().string();
    if (entry.path().extension() == ".json" && std::ranges::count(kOtherFiles, name) == 0) names.push_back(name);
  }
  std::ranges::sort(names);
  return names;
}

using Rows = std::vector<std::vector<double>>;

struct Vectors {
  int64_t head_dim = 0;
  RotaryPosition position;
  std::vector<int32_t> positions;
  Json content;

  explicit Vectors(const std::string& name) : content(read_vectors(name).value()) {
    head_dim = content["head_dim"];
    position = rotation_of(content["settings"], head_dim);
    positions = content["positions"].get<std::vector<int32_t>>();
  }
  int64_t heads(const std::string& side) const { return content["heads"][side]; }
  Rows rows(const std::string& key) const { return content[key].get<Rows>(); }
  int64_t length() const { return int64_t{*std::ranges::max_element(positions)} + 1; }
};

void expect_near(const Rows& found, const Rows& expected) {
  ASSERT_EQ(found.size(), expected.size());
  for (size_t t = 0; t < found.size(); ++t) {
    ASSERT_EQ(found[t].size(), expected[t].size());
    for (size_t i = 0; i < found[t].size(); ++i) {
      EXPECT_NEAR(found[t][i], expected[t][i], kTolerance) << "token " << t << ", element " << i;
    }
  }
}

// Elements of every head in the order of `permutation`.
Rows permuted(const Rows& rows, const std::vector<int64_t>& permutation) {
  Rows result = rows;
  const size_t dim = permutation.size();
  for (size_t t = 0; t < rows.size(); ++t) {
    for (size_t i = 0; i < rows[t].size(); ++i) result[t][i] = rows[t][i / dim * dim + permutation[i % dim]];
  }
  return result;
}

// With rotate() of position/rotary.h.
Rows rotated(const Vectors& vectors, const Rotary& rotary, Rows rows, bool key) {
  const RotaryFrequencies frequencies(rotary, vectors.length());
  for (size_t t = 0; t < rows.size(); ++t) {
    for (size_t begin = 0; begin < rows[t].size(); begin += vectors.head_dim) {
      const auto head = std::span(rows[t]).subspan(begin, vectors.head_dim);
      rotate(head, frequencies, vectors.positions[t]);
      for (int64_t i = 0; vectors.position.xpos && i < frequencies.pairs(); ++i) {
        const double power = xpos_scale(*vectors.position.xpos, rotary.dim, i, vectors.positions[t]);
        const auto [first, second] = rotary_pair(rotary, i);
        for (const int64_t element : {first, second}) head[element] *= key ? 1 / power : power;
      }
    }
  }
  return rows;
}

// With a backend's kernel, in float64.
Rows rotated_by_kernel(const Vectors& vectors, Rows rows, const std::string& side) {
  ThreadPool pool(1);
  const auto backend = make_reference_backend(pool, DType::float64);
  const auto tokens = static_cast<int64_t>(rows.size()), width = static_cast<int64_t>(rows[0].size());
  const Tensor x = Tensor::allocate({tokens, width}, DType::float64);
  for (int64_t t = 0; t < tokens; ++t) std::ranges::copy(rows[t], x.row<double>(t));
  const auto& [rotary, share, values, learned, xpos] = vectors.position;
  RotaryAngles angles = backend->rotary_angles(rotary, vectors.positions);
  if (xpos) {
    const XPosAngles both = backend->xpos_angles(rotary, *xpos, vectors.positions);
    angles = side == "key" ? both.key : both.query;
  }
  backend->rotate(x, vectors.heads(side), angles, false);
  for (int64_t t = 0; t < tokens; ++t) std::copy_n(x.row<double>(t), width, rows[t].begin());
  return rows;
}

class Conformance : public testing::TestWithParam<std::string> {};

TEST_P(Conformance, RotatesAsPublished) {
  const Vectors vectors(GetParam());
  for (const std::string side : {"query", "key"}) {
    SCOPED_TRACE(side);
    const Rows given = vectors.rows(side), expected = vectors.rows("rotated_" + side);
    ASSERT_EQ(given.size(), vectors.positions.size());
    ASSERT_EQ(static_cast<int64_t>(given[0].size()), vectors.heads(side) * vectors.head_dim);
    expect_near(rotated(vectors, vectors.position.rotary, given, side == "key"), expected);
    expect_near(rotated_by_kernel(vectors, given, side), expected);
  }
}

// The same in the other layout, after the permutation that converts weights.
TEST_P(Conformance, RotatesAsPublishedInTheOtherLayout) {
  const Vectors vectors(GetParam());
  Rotary other = vectors.position.rotary;
  other.layout = other.layout == RotaryLayout::half ? RotaryLayout::adjacent : RotaryLayout::half;
  const auto there = rotary_permutation(vectors.position.rotary, other.layout, vectors.head_dim);
  for (const std::string side : {"query", "key"}) {
    SCOPED_TRACE(side);
    expect_near(rotated(vectors, other, permuted(vectors.rows(side), there), side == "key"),
                permuted(vectors.rows("rotated_" + side), there));
  }
}

INSTANTIATE_TEST_SUITE_P(All, Conformance, testing::ValuesIn(rotation_names()), [](const auto& one) {
  std::string name = one.param;
  std::ranges::replace(name, '-', '_');
  return name;
});

TEST(ConformanceFiles, AreAllThere) { EXPECT_EQ(rotation_names().size(), 21u); }

// Learned frequencies are explicit ones: the same angles.
TEST(ConformanceFiles, FrequenciesAsPublished) {
  const Json content = read_vectors("frequencies").value();
  const int64_t head_dim = content["head_dim"];
  for (const Json& one : content["cases"]) {
    SCOPED_TRACE(one["settings"].dump());
    const Rotary rotary = rotation_of(one["settings"], head_dim).rotary;
    const RotaryFrequencies frequencies(rotary, one["length"].get<int64_t>());
    const auto theta = one["theta"].get<std::vector<double>>();
    ASSERT_EQ(frequencies.pairs(), static_cast<int64_t>(theta.size()));
    const double factor = one["attention_factor"];
    EXPECT_NEAR(frequencies.attention_factor(), factor, 1e-12);
    for (int64_t pair = 0; pair < frequencies.pairs(); ++pair) {
      EXPECT_NEAR(frequencies.theta(pair), theta[pair], 1e-12 * theta[pair]) << pair;
      const auto [cos, sin] = frequencies.angle(9, pair);
      EXPECT_NEAR(cos, factor * std::cos(9 * theta[pair]), 1e-11) << pair;
      EXPECT_NEAR(sin, factor * std::sin(9 * theta[pair]), 1e-11) << pair;
    }
  }
}

TEST(ConformanceFiles, DistanceBucketsAsT5s) {
  const Json content = read_vectors("t5-buckets").value();
  const auto distances = content["distances"].get<std::vector<int64_t>>();
  for (const Json& one : content["cases"]) {
    const DistanceBuckets buckets{one["count"], one["max_distance"], one["bidirectional"]};
    validate(buckets);
    for (size_t i = 0; i < distances.size(); ++i) {
      EXPECT_EQ(distance_bucket(buckets, distances[i]), one["buckets"][i].get<int64_t>())
          << buckets.count << ", " << buckets.max_distance << ", " << distances[i];
    }
  }
}

TEST(ConformanceFiles, SlopesAsBlooms) {
  const JsonObject slopes = read_vectors("alibi-slopes").get_object("slopes");
  for (const auto& [heads, values] : slopes.value().items()) {
    const int64_t count = std::stoll(heads);
    ASSERT_EQ(std::ssize(values), count);
    for (int64_t head = 0; head < count; ++head) {
      const double expected = values[head];
      EXPECT_NEAR(alibi_slope(head, count), expected, 1e-5 * expected) << heads << ", " << head;  // powers in float32
    }
  }
}

}  // namespace
}  // namespace roformer
