// Models with linear attention: invariants common to all kinds of attention, and settings in config.json.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "tests/base/error_detail.h"
#include "tests/models/model_trial.h"

namespace roformer::test {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::ThrowsMessage;

constexpr double kLinearTolerance = 3e-5;  // of float32

ModelConfig linear_config(const std::vector<AttentionKind>& kinds, bool causal = false,
                          const std::string& position = "rotary") {
  ModelConfig config = tiny_config(position);
  config.attention = kinds;
  if (causal) {
    config.attention_mask = AttentionMask::causal;
    config.head = Head::causal_lm;
  }
  complete(config, "");
  return config;
}

const std::vector<std::vector<AttentionKind>>& all_kinds() {
  using enum AttentionKind;
  static const std::vector<std::vector<AttentionKind>> kinds = {
      {linear_elu}, {linear_relu}, {linear_favor}, {softmax, linear_favor}};
  return kinds;
}

class LinearModelTest : public ::testing::Test {
 protected:
  Model random_model(const ModelConfig& config) {
    Model model(*backend_, config, false);
    randomize(model, 5);
    return model;
  }

  ThreadPool pool_{2};
  std::unique_ptr<Backend> backend_ = make_cpu_backend(pool_);
};

TEST_F(LinearModelTest, PackedEqualsOneByOne) {
  for (const auto& kinds : all_kinds()) {
    for (const bool causal : {false, true}) {
      const Model model = random_model(linear_config(kinds, causal));
      const LabeledBatch data = random_batch(model.config(), {7, 1, 40, 2, 13}, 6);
      const Tensor packed = hidden_states(model, data.batch);
      for (int64_t s = 0; s < data.batch.sequences(); ++s) {
        const Tensor alone = hidden_states(model, sequence_of(data, s).batch);
        const int32_t begin = data.batch.offsets[static_cast<size_t>(s)];
        EXPECT_LE(relative_difference(values_of(packed.row_range(begin, alone.rows())), values_of(alone)),
                  kLinearTolerance);
      }
    }
  }
}

TEST_F(LinearModelTest, ShiftedPositionsChangeNothingAfterTheMap) {
  for (const auto& kinds : all_kinds()) {
    for (const FeatureRotation rotation : {FeatureRotation::after, FeatureRotation::before}) {
      ModelConfig config = linear_config(kinds);
      config.linear.rotation = rotation;
      const Model model = random_model(config);
      Batch batch = random_batch(config, {7, 1, 13}, 6).batch;
      const std::vector<double> at_zero = values_of(hidden_states(model, batch));
      for (int32_t& position : batch.positions) position += 20;
      const double change = relative_difference(values_of(hidden_states(model, batch)), at_zero);
      if (rotation == FeatureRotation::after) {
        EXPECT_LE(change, kLinearTolerance);
      } else {
        EXPECT_GE(change, 1e-3);
      }
    }
  }
}

TEST_F(LinearModelTest, ACausalModelDoesNotSeeWhatComes) {
  for (const auto& kinds : all_kinds()) {
    const Model model = random_model(linear_config(kinds, true));
    Batch batch = random_batch(model.config(), {9}, 6).batch;
    const std::vector<double> before = values_of(hidden_states(model, batch).row_range(0, 6));
    batch.ids[6] = (batch.ids[6] + 1) % 29;
    EXPECT_EQ(values_of(hidden_states(model, batch).row_range(0, 6)), before);
  }
}

TEST_F(LinearModelTest, AFrozenModelIsTheSame) {
  const ModelConfig config = linear_config({AttentionKind::softmax, AttentionKind::linear_elu});
  const Batch batch = random_batch(config, {9, 4}, 6).batch;
  const Model trained(*backend_, config, true);
  randomize(trained, 5);
  EXPECT_EQ(values_of(hidden_states(random_model(config), batch)), values_of(hidden_states(trained, batch)));
}

TEST_F(LinearModelTest, RedrawsWhileItIsTrained) {
  ModelConfig config = linear_config({AttentionKind::linear_favor});
  config.hidden_dropout = config.attention_dropout = 0;
  config.linear.favor_redraw = 10;
  const Model model = random_model(config);
  const Batch batch = random_batch(config, {9}, 6).batch;
  const auto at = [&](int64_t step, bool training) {
    return values_of(model.trunk().forward({.backend = *backend_, .training = training, .step = step}, batch).data);
  };
  EXPECT_EQ(at(1, true), at(10, true));
  EXPECT_NE(at(10, true), at(11, true));
  EXPECT_EQ(at(11, true), at(20, true));
  EXPECT_EQ(at(0, false), at(1, true));
  EXPECT_EQ(at(11, false), at(0, false));
}

TEST_F(LinearModelTest, RefusesPrefixes) {
  const Model model = random_model(linear_config({AttentionKind::linear_elu}));
  const Batch batch = random_batch(model.config(), {4}, 6).batch;
  EXPECT_THAT([&] { model.trunk().forward({.backend = *backend_}, batch, {.attention_mask = AttentionMask::prefix}); },
              ThrowsMessage<DataError>(HasSubstr("does not support prefix attention")));
}

ModelConfig reread(const ModelConfig& config, std::vector<std::string>* unknown = nullptr) {
  return read_config(JsonObject(parse_json(dump_json(write_config(config)), "written"), "some/config.json"), unknown);
}

TEST(LinearConfigTest, WritesWhatItReads) {
  for (auto kinds : all_kinds()) {
    ModelConfig config = linear_config(kinds, true);
    config.linear = {.rotation = FeatureRotation::before, .favor_features = 14, .favor_redraw = 100, .favor_seed = 12};
    if (!config.has_random_features()) config.linear = {.rotation = FeatureRotation::before};
    std::vector<std::string> unknown;
    const ModelConfig again = reread(config, &unknown);
    EXPECT_EQ(again.attention, config.attention);
    EXPECT_EQ(again.linear, config.linear);
    EXPECT_EQ(again.position, config.position);
    EXPECT_THAT(unknown, IsEmpty());
    EXPECT_EQ(write_config(config).at("model_type"), "roformer_variant");
  }
}

TEST(LinearConfigTest, EqualKindsAreOne) {
  using enum AttentionKind;
  EXPECT_EQ(linear_config({linear_elu, linear_elu}).attention, std::vector<AttentionKind>{linear_elu});
  EXPECT_EQ(linear_config({softmax, softmax}).attention, std::vector<AttentionKind>{softmax});
  EXPECT_EQ(write_config(linear_config({softmax, softmax})).at("model_type"), "roformer");
  EXPECT_EQ(linear_config({linear_favor}).linear.favor_features, 6);  // 4 ln 4 is 5.5
  ModelConfig odd = tiny_config();
  odd.attention = {linear_favor};
  odd.linear.favor_features = 7;
  complete(odd, "");
  EXPECT_EQ(odd.linear.favor_features, 8);
}

TEST(LinearConfigTest, RefusesValues) {
  struct Bad {
    const char* key;
    Json value;
    const char* message;
    const char* about = nullptr;  // the key that the error is about, where it is another; "" for none
  };
  const std::vector<Bad> cases = {
      {"attention_type", "linear", "'attention_type' is \"linear\", expected softmax, linear-elu"},
      {"attention_type", 3, "'attention_type'"},
      {"attention_type", Json::array(), "attention_type names 0 kinds"},
      {"attention_type", Json::array({"softmax", "softmax", "linear-elu"}), "attention_type names 3 kinds"},
      {"attention_type", Json::array({"softmax", 1}), "'attention_type'"},
      {"attention_rotation", "between", "expected \"after\" or \"before\""},
      {"favor_features", -2, "favor_features is -2"},
      {"favor_features", 1000000, "favor_features is 1000000"},
      {"favor_features", 2.5, "'favor_features'"},
      {"favor_redraw", -1, "favor_redraw is -1"},
      {"favor_seed", "one", "'favor_seed'"},
      {"rotary_value", true, "does not support rotary values"},
      {"rotary_learned", true, "does not support learned rotary frequencies", ""},
      {"position_embedding_type", "alibi", "the alibi encoding acts on scores"},
      {"position_embedding_type", "t5", "the t5 encoding acts on scores"},
  };
  for (const Bad& bad : cases) {
    Json json = write_config(linear_config({AttentionKind::linear_favor}));
    json[bad.key] = bad.value;
    const auto read = [&] { read_config(JsonObject(json, "some/config.json")); };
    EXPECT_THAT(read, ThrowsMessage<DataError>(HasSubstr(bad.message))) << bad.key;
    EXPECT_EQ(detail_of<DataError>(read).key, bad.about == nullptr ? bad.key : bad.about);
  }
}

TEST(LinearConfigTest, OptionsChangeWhatTheyName) {
  ShapeOptions options;
  options.attention = {"linear-favor"};
  options.attention_rotation = "before";
  options.favor_features = 32;
  options.favor_redraw = 50;
  ModelConfig config = options.apply(preset_config("demo"));
  complete(config, "");
  EXPECT_EQ(config.attention, std::vector<AttentionKind>{AttentionKind::linear_favor});
  EXPECT_EQ(config.linear.rotation, FeatureRotation::before);
  EXPECT_EQ(config.linear.favor_features, 32);
  EXPECT_EQ(config.linear.favor_redraw, 50);
  options.attention = {"linear-elu"};
  EXPECT_EQ(detail_of<UsageError>([&] { options.apply(preset_config("demo")); }).field, "favor_features");
  options.attention = {};
  EXPECT_EQ(detail_of<UsageError>([&] { options.apply(preset_config("demo")); }).field, "attention_rotation");
  options = {};
  options.attention = {"linear-elu", "softmax", "linear-elu"};
  config = options.apply(preset_config("demo"));
  EXPECT_THAT([&] { complete(config, ""); }, ThrowsMessage<UsageError>(HasSubstr("one for each of 4")));
  EXPECT_EQ(detail_of<UsageError>([&] { complete(config, ""); }).field, "attention");
}

TEST(LinearConfigTest, ThePapersPerformer) {
  const ModelConfig config = preset_config("paper-performer");
  EXPECT_EQ(config.layers, 12);
  EXPECT_EQ(config.hidden, 768);
  EXPECT_EQ(config.heads, 12);
  EXPECT_EQ(config.attention, std::vector<AttentionKind>{AttentionKind::linear_favor});
  EXPECT_EQ(config.linear.favor_features, 266);
  EXPECT_EQ(config.linear.rotation, FeatureRotation::after);
  EXPECT_EQ(config.attention_mask, AttentionMask::causal);
}

}  // namespace
}  // namespace roformer::test
