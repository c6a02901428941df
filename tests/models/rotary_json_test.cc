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
  // dynamic: the training length is "max_position_embeddings".
  EXPECT_EQ(read_rotary_of(R"({"max_position_embeddings": 77, "rope_scaling": {"type": "dynamic", "factor": 2}})")
                .rotary.scaling,
            RotaryScaling(DynamicNtkScaling{2, 77}));
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
  EXPECT_EQ(key_of(R"({"rope_scaling": {"type": "linear", "factor": 2, "mrope_section": [1]}})"), "mrope_section");
  EXPECT_EQ(key_of(R"({"rope_scaling": {"type": "longrope", "short_factor": [1, "2"], "long_factor": [1]}})"),
            "short_factor");
  EXPECT_EQ(key_of(R"({"rope_scaling": {"type": "linear", "factor": 2}, "rope_parameters": {"type": "default"}})"),
            "rope_parameters");
}

}  // namespace
}  // namespace roformer
