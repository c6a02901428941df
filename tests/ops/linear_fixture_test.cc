// Linear attention against NumPy in float64 (tools/make_linear_fixtures.py): every feature map, causality and rotation
// order.
#include <gtest/gtest.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "ops/linear_attention.h"
#include "tests/backend/trial.h"

namespace roformer::test {
namespace {

class LinearFixtureTest : public ::testing::Test {
 protected:
  Tensor matrix(Backend& backend, const Json& rows) const {
    const auto count = static_cast<int64_t>(rows.size()), columns = static_cast<int64_t>(rows[0].size());
    const Tensor x = backend.empty({count, columns});
    for (int64_t i = 0; i < count; ++i) {
      for (int64_t j = 0; j < columns; ++j) {
        write(x, i, j, rows[static_cast<size_t>(i)][static_cast<size_t>(j)].get<double>());
      }
    }
    return x;
  }

  std::vector<double> attend(Backend& backend, const Json& one) const {
    const auto offsets = data_["offsets"].get<std::vector<int32_t>>();
    const auto positions = data_["positions"].get<std::vector<int32_t>>();
    const auto map = one["map"].get<std::string>(), rotation = one["rotation"].get<std::string>();
    LinearAttentionOptions options{.heads = data_["heads"].get<int64_t>(),
                                   .map = map == "elu"    ? FeatureMap::elu
                                          : map == "relu" ? FeatureMap::relu
                                                          : FeatureMap::favor,
                                   .causal = one["causal"].get<bool>(),
                                   .offsets = offsets,
                                   .rotation = rotation == "before" ? FeatureRotation::before : FeatureRotation::after};
    if (map == "favor") options.projection = matrix(backend, data_["projection"]);
    const Tensor q = matrix(backend, data_["q"]), k = matrix(backend, data_["k"]), v = matrix(backend, data_["v"]);
    const int64_t dim = q.columns() / options.heads,
                  rotated_dim = rotation == "after" ? options.spec().features(dim) : dim;
    if (rotation != "none") {
      options.query_angles = options.key_angles = std::make_shared<const RotaryAngles>(
          backend.rotary_angles({.dim = rotated_dim, .base = data_["base"].get<double>()}, positions));
    }
    const Context context{.backend = backend};
    return values_of(linear_attention(context, options, Columns(Value(q)), Columns(Value(k)), Columns(Value(v))).data);
  }

  Json data_ = JsonObject::read(ROFORMER_SOURCE_DIR "/tests/fixtures/linear_attention.json").value();
};

TEST_F(LinearFixtureTest, EveryCase) {
  ThreadPool pool(2);
  const auto reference = make_reference_backend(pool, DType::float64), cpu = make_cpu_backend(pool);
  ASSERT_EQ(data_["cases"].size(), 18U);
  for (const Json& one : data_["cases"]) {
    SCOPED_TRACE(one["map"].dump() + one["causal"].dump() + one["rotation"].dump());
    const std::vector<double> expected = values_of(matrix(*reference, one["out"]));
    expect_close({{"out", attend(*reference, one)}}, {{"out", expected}}, 1e-11);
    expect_close({{"out", attend(*cpu, one)}}, {{"out", expected}}, 1e-5);
  }
}

}  // namespace
}  // namespace roformer::test
