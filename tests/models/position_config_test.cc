// The options of position encodings in ModelConfig and config.json.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/error.h"
#include "models/config.h"
#include "tests/base/error_detail.h"
#include "tests/position/all_position_options.h"

namespace roformer {
namespace {

// config.json carries what the options of an encoding set.
TEST(PositionOptionsInConfig, AreWrittenAndRead) {
  for (const std::string_view position : position_names()) {
    SCOPED_TRACE(position);
    ShapeOptions options;
    options.position = position;
    options.position_options = all_position_options();
    options.position_options.restrict_to(parse_position(position));
    ModelConfig config = options.apply(preset_config("demo"));
    complete(config, "");
    std::vector<std::string> unknown;
    const ModelConfig again = read_config(JsonObject(write_config(config), "config.json"), &unknown);
    EXPECT_THAT(unknown, ::testing::IsEmpty());
    EXPECT_EQ(again.position, config.position);
    EXPECT_EQ(again.max_positions, config.max_positions);
    EXPECT_EQ(write_config(again), write_config(config));
  }
  ShapeOptions options;
  options.position_options = {.rotary_base = 500, .rotary_fraction = 0.25};
  ModelConfig config = options.apply(preset_config("demo"));
  complete(config, "");
  const Json json = write_config(config);
  EXPECT_EQ(json["model_type"], "roformer_variant");
  EXPECT_EQ(json["position_embedding_type"], "rotary-partial");
  EXPECT_EQ(json["rope_theta"], 500);
  EXPECT_EQ(json["rotary_dim"], 16);
}

TEST(PositionOptionsInConfig, AreNamedInErrors) {
  const auto refuse = [](const char* position, const PositionOptions& numbers) {
    ShapeOptions options;
    options.position = position;
    options.position_options = numbers;
    ModelConfig config = options.apply(preset_config("demo"));
    complete(config, "");
  };
  EXPECT_THAT([&] { refuse("t5", {.relative_buckets = 3}); },
              ::testing::ThrowsMessage<UsageError>(
                  "relative_buckets is 3; expected 4 to 65536 buckets of distances, an even number"));
  EXPECT_EQ(detail_of<UsageError>([&] { refuse("tupe", {.relative_max_distance = 8}); }).field,
            "relative_max_distance");
  EXPECT_EQ(detail_of<UsageError>([&] { refuse("deberta", {.relative_clip = -1}); }).field, "relative_clip");
  EXPECT_EQ(detail_of<UsageError>([&] { refuse("rotary", {.rotary_base = 0.5}); }).field, "rotary_base");
  EXPECT_EQ(detail_of<UsageError>([&] { refuse("none", {.rotary_base = 500}); }).field, "rotary_base");
  ShapeOptions part;
  part.position_options.rotary_fraction = 0.5;
  ModelConfig llama = part.apply(preset_config("llama-100m"));
  EXPECT_THAT([&] { complete(llama, ""); },
              ::testing::ThrowsMessage<UsageError>(::testing::HasSubstr("a Llama rotates whole heads")));
  part.position_options = {.rotary_base = 500'000};
  llama = part.apply(preset_config("llama-100m"));
  EXPECT_NO_THROW(complete(llama, ""));
  EXPECT_EQ(write_config(llama)["rope_theta"], 500'000);
}

}  // namespace
}  // namespace roformer
