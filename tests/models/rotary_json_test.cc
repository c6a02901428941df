#include <nlohmann/json.hpp>

#include "models/rotary_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "tests/base/error_detail.h"

namespace roformer {
namespace {

using testing::HasSubstr;

RotaryPosition read_rotary_of(const std::string& text) {
  RotaryPosition position;
  read_rotary(JsonObject(parse_json(text, "config.json"), "config.json"), position);
  return position;
}

// The rejected key.
std::string key_of(const std::string& text) {
  return detail_of<DataError>([&] { read_rotary_of(text); }).key;
}

TEST(RotaryJson, APlainRoformerWritesNothing) {
  Json json = Json::object();
  write_rotary({.rotary = {.dim = 64}}, 64, json);
  EXPECT_TRUE(json.empty()) << json;
  EXPECT_EQ(read_rotary_of("{}"), RotaryPosition());
}

TEST(RotaryJson, EveryScalingComesBack) {
  const RotaryScaling scalings[] = {
      {},
      LinearScaling{4},
      NtkScaling{2.5},
      DynamicNtkScaling{2, 512},
      YarnScaling{8, 1024, 20, 2, 1.1, 0.7, 0.9, false},
      YarnScaling{.factor = 8, .original_positions = 1024},
      LongRopeScaling{{1, 1.5}, {2, 9}, 4096, 32, 1.25},
      LongRopeScaling{{1, 1.5}, {2, 9}, 4096, 32, {}},
      Llama3Scaling{8, 1, 4, 8192},
  };
  for (const RotaryScaling& scaling : scalings) {
    const RotaryPosition position{.rotary = {.dim = 4, .scaling = scaling}};
    Json json = Json::object();
    write_rotary(position, 6, json);
    EXPECT_EQ(read_rotary_of(json.dump()), position) << json;
  }
}

TEST(RotaryJson, EverySettingComesBackAndIsAKnownKey) {
  const RotaryPosition position{
      .rotary = {.dim = 12, .layout = RotaryLayout::half, .base = 500000, .proportion = 0.75, .grid_width = 14},
      .share = 0.5,
      .learned = true,
      .xpos = XPos{.scale_base = 64, .center = 256}};
  Json json = Json::object();
  write_rotary(position, 24, json);
  EXPECT_EQ(read_rotary_of(json.dump()), position) << json;
  EXPECT_EQ(json["rotary_layout"], "half");
  EXPECT_EQ(json["rotary_dim"], 12);
  for (const auto& [key, value] : json.items()) EXPECT_THAT(rotary_keys(), testing::Contains(key));
}

TEST(RotaryJson, WhatOtherProgramsWrite) {
  // Llama 3.1, the form of transformers 5.
  const RotaryPosition llama = read_rotary_of(R"({"max_position_embeddings": 131072, "rope_parameters":
      {"rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
       "original_max_position_embeddings": 8192, "mscale": null}})");
  EXPECT_EQ(llama.rotary.base, 500000);
  EXPECT_EQ(llama.rotary.scaling, RotaryScaling(Llama3Scaling{8, 1, 4, 8192}));
  // Phi-3: the training length is beside the scaling; the old name of the type is "su".
  const RotaryPosition phi =
      read_rotary_of(R"({"max_position_embeddings": 131072, "original_max_position_embeddings": 4096,
      "rope_theta": 10000.0, "rope_scaling": {"type": "su", "short_factor": [1, 1.1], "long_factor": [1, 60]}})");
  EXPECT_EQ(phi.rotary.scaling, RotaryScaling(LongRopeScaling{{1, 1.1}, {1, 60}, 4096, 32, {}}));
  // DeepSeek-V3's zeros and an absent factor.
  const RotaryPosition deepseek = read_rotary_of(R"({"max_position_embeddings": 4096, "rope_scaling": {"type": "yarn",
      "original_max_position_embeddings": 1024, "mscale": 0.0, "beta_fast": 0}})");
  EXPECT_EQ(deepseek.rotary.scaling, RotaryScaling(YarnScaling{.factor = 4, .original_positions = 1024}));
  // dynamic: the training length is "max_position_embeddings", whatever else a file says.
  for (const char* more : {"", R"(, "original_max_position_embeddings": 16)"}) {
    const std::string text = fmt::format(
        R"({{"max_position_embeddings": 77{}, "rope_scaling": {{"type": "dynamic", "factor": 2{}}}}})", more, more);
    EXPECT_EQ(read_rotary_of(text).rotary.scaling, RotaryScaling(DynamicNtkScaling{2, 77})) << text;
  }
  // In "proportional" the factor is the fraction of rotated pairs, elsewhere it reduces the dimension.
  const RotaryPosition gemma =
      read_rotary_of(R"({"rope_parameters": {"rope_type": "proportional", "rope_theta": 1000000.0,
                                        "partial_rotary_factor": 0.25}})");
  EXPECT_EQ(gemma, (RotaryPosition{.rotary = {.base = 1e6, .proportion = 0.25}}));
  EXPECT_EQ(read_rotary_of(
                R"({"rope_parameters": {"rope_type": "default", "rope_theta": 10000, "partial_rotary_factor": 0.25}})"),
            RotaryPosition{.share = 0.25});
  EXPECT_EQ(read_rotary_of(R"({"rope_scaling": null})"), RotaryPosition());
}

// The same settings, in transformers' old form and its new one.
TEST(RotaryJson, TwoScalingsMustMeanTheSame) {
  const RotaryPosition both = read_rotary_of(R"({"rope_theta": 500, "rope_scaling": {"type": "linear", "factor": 2},
      "rope_parameters": {"rope_type": "linear", "rope_theta": 500.0, "factor": 2.0, "unread": 1}})");
  EXPECT_EQ(both, (RotaryPosition{.rotary = {.base = 500, .scaling = LinearScaling{2}}}));
  EXPECT_EQ(key_of(R"({"rope_theta": 500, "rope_scaling": {"type": "linear", "factor": 2},
      "rope_parameters": {"rope_type": "linear", "rope_theta": 600, "factor": 2.0}})"),
            "rope_parameters");
}

std::vector<std::string> unread_of(const std::string& text) {
  const JsonObject json(parse_json(text, "config.json"), "config.json");
  RotaryPosition position;
  read_rotary(json, position);
  std::vector<std::string> unread;
  for (const auto& [key, value] : json.value().items()) {
    for (const std::string& name : unread_rotary_keys(json, key)) unread.push_back(name);
  }
  return unread;
}

// What a type does not use is left out, as in transformers, and named.
TEST(RotaryJson, KeysWithoutInfluenceAreNamed) {
  using testing::ElementsAre;
  const char* const scalings[] = {
      R"("rope_type": "linear", "factor": 2)",
      R"("rope_type": "ntk", "factor": 2)",
      R"("rope_type": "dynamic", "factor": 2)",
      R"("type": "yarn", "factor": 2, "original_max_position_embeddings": 8, "beta_fast": 16, "truncate": false)",
      R"("type": "longrope", "factor": 2, "short_factor": [1], "long_factor": [1])",
      R"("rope_type": "llama3", "factor": 2, "low_freq_factor": 1, "high_freq_factor": 4)",
      R"("rope_type": "default", "rope_theta": 100)",
      R"("rope_type": "proportional", "partial_rotary_factor": 0.5)"};
  for (const std::string scaling : scalings) {
    for (const std::string key : {"rope_scaling", "rope_parameters"}) {
      const std::string plain = "{\"" + key + "\": {" + scaling + "}}";
      EXPECT_THAT(unread_of(plain), ElementsAre()) << plain;
      const std::string more =
          "{\"" + key + "\": {" + scaling + R"(, "finetuned": true, "mrope_section": [1], "x": null}})";
      EXPECT_THAT(unread_of(more), ElementsAre(key + ".finetuned", key + ".mrope_section")) << more;
      EXPECT_EQ(read_rotary_of(more), read_rotary_of(plain)) << more;
    }
  }
  EXPECT_THAT(
      unread_of(R"({"rope_scaling": {"type": "linear", "factor": 2, "original_max_position_embeddings": 9,
                                             "attention_factor": 3}})"),
      testing::UnorderedElementsAre("rope_scaling.attention_factor", "rope_scaling.original_max_position_embeddings"));
  EXPECT_THAT(unread_of(R"({"rope_scaling": {"factor": 2}})"), ElementsAre("rope_scaling.factor"));
  // Two names of the type.
  EXPECT_THAT(unread_of(R"({"rope_scaling": {"type": "linear", "rope_type": "linear", "factor": 2}})"), ElementsAre());
  EXPECT_THAT(unread_of(R"({"rope_scaling": {"type": "yarn", "rope_type": "linear", "factor": 2}})"),
              ElementsAre("rope_scaling.type"));
  // Beside the scaling.
  const std::string beside = R"({"original_max_position_embeddings": 8, "rope_scaling": )";
  EXPECT_THAT(unread_of(beside + R"({"type": "yarn", "factor": 2}})"), ElementsAre());
  EXPECT_THAT(unread_of(beside + R"({"type": "dynamic", "factor": 2}})"),
              ElementsAre("original_max_position_embeddings"));
  EXPECT_THAT(unread_of(beside + "null}"), ElementsAre());
}

TEST(RotaryJson, TheTrainingLengthMayBeWrittenAsAFloat) {
  const auto yarn = [](const std::string& original) {
    return R"({"rope_scaling": {"type": "yarn", "factor": 2, "original_max_position_embeddings": )" + original + "}}";
  };
  EXPECT_EQ(read_rotary_of(yarn("8.0")), read_rotary_of(yarn("8")));
  for (const char* bad : {"8.5", "0.0", "1e30"}) {
    EXPECT_EQ(key_of(yarn(bad)), "original_max_position_embeddings") << bad;
  }
}

TEST(RotaryJson, ErrorsNameTheKey) {
  EXPECT_EQ(key_of(R"({"rotary_layout": "neox"})"), "rotary_layout");
  EXPECT_EQ(key_of(R"({"rope_theta": "big"})"), "rope_theta");
  EXPECT_EQ(key_of(R"({"partial_rotary_factor": 0})"), "partial_rotary_factor");
  EXPECT_EQ(key_of(R"({"rotary_proportion": 1.5})"), "rotary_proportion");
  EXPECT_EQ(key_of(R"({"rotary_dim": -2})"), "rotary_dim");
  EXPECT_EQ(key_of(R"({"rotary_grid_width": -1})"), "rotary_grid_width");
  EXPECT_EQ(key_of(R"({"xpos_scale_base": 0})"), "xpos_scale_base");
  EXPECT_EQ(key_of(R"({"xpos_centre": -1})"), "xpos_centre");
  EXPECT_EQ(key_of(R"({"rotary_learned": 1})"), "rotary_learned");
  EXPECT_EQ(key_of(R"({"rope_scaling": 2})"), "rope_scaling");
  EXPECT_EQ(key_of(R"({"rope_scaling": {"type": "mrope"}})"), "type");
  EXPECT_EQ(key_of(R"({"rope_scaling": {"type": "linear"}})"), "factor");
  EXPECT_EQ(key_of(R"({"rope_parameters": {"full_attention": {"rope_type": "default"}}})"), "full_attention");
  EXPECT_EQ(key_of(R"({"rope_scaling": {"type": "longrope", "short_factor": [1, "2"], "long_factor": [1]}})"),
            "short_factor");
  EXPECT_EQ(key_of(R"({"rope_scaling": {"type": "linear", "factor": 2}, "rope_parameters": {"type": "default"}})"),
            "rope_parameters");
}

}  // namespace
}  // namespace roformer
