#include "training/run_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <stdexcept>

#include "base/error.h"
#include "training/pretrain_options.h"

namespace roformer {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

const Json kResolved = {
    {"dtype", "float32"}, {"data", "d"},          {"validation-data", "v"}, {"validation-fraction", 1},
    {"tokenizer", "t"},   {"init-from", ""},      {"max-length", 128},      {"batch-tokens", 4096},
    {"steps", 400},       {"learning-rate", 0.1}, {"warmup", 40},           {"mask-probability", 0.15},
    {"best", Json()}};

std::vector<std::string> keys(const Json& settings) {
  std::vector<std::string> names;
  for (const auto& [key, value] : settings.items()) names.push_back(key);
  return names;
}

Json without(Json settings, const char* key) {
  settings.erase(key);
  return settings;
}

// Keys must not change, so that runs of earlier versions can resume; those that came later are null by default.
TEST(RunSettings, KeysAndValuesAreTheOldOnes) {
  PretrainOptions options;
  options.shape.position_options.rotary_base = 500;  // which is said by the model's config
  const Json settings = run_settings(setting_values(options), kResolved);
  EXPECT_THAT(
      keys(settings),
      ElementsAre("accumulate", "batch-tokens", "best", "beta1", "beta2", "clip-norm", "data", "documents", "dtype",
                  "ema-decay", "epsilon", "fgm-epsilon", "freeze", "init-from", "layer-decay", "learning-rate",
                  "lora-rank", "mask-probability", "max-length", "objective", "optimizer", "schedule", "seed", "steps",
                  "tokenizer", "validation-data", "validation-fraction", "warmup", "weight-decay", "whole-word"));
  Json before = settings;
  for (const char* later : {"best", "ema-decay", "fgm-epsilon", "freeze", "layer-decay", "lora-rank"}) {
    EXPECT_TRUE(settings.at(later).is_null()) << later;
    before.erase(later);
  }
  EXPECT_TRUE(setting_differences(before, settings).empty());
  EXPECT_EQ(settings["optimizer"], "adamw");
  EXPECT_EQ(settings["schedule"], "linear");
  EXPECT_EQ(settings["steps"], 400);
  EXPECT_EQ(settings["weight-decay"], 0.01);
  EXPECT_EQ(settings["whole-word"], false);
}

TEST(RunSettings, WhatNothingReadsIsNoSetting) {
  PretrainOptions options;
  options.objective = "clm";
  const Json settings = run_settings(setting_values(options), without(kResolved, "mask-probability"));
  for (const char* key : {"mask-probability", "whole-word"}) {
    EXPECT_FALSE(settings.contains(key)) << key;
  }
}

TEST(RunSettings, ResolvedSettingsAreRequired) {
  EXPECT_THAT([] { run_settings(setting_values(PretrainOptions{}), without(kResolved, "steps")); },
              ThrowsMessage<std::logic_error>(HasSubstr("steps")));
}

TEST(PretrainSettings, ValuesThatCannotBeAreRefused) {
  const auto message = [](const auto& change) -> std::string {
    PretrainOptions options;
    change(options);
    try {
      check_settings(options);
    } catch (const UsageError& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(message([](PretrainOptions&) {}), "");
  EXPECT_EQ(message([](PretrainOptions& o) { o.max_length = 2; }),
            "max_length: expected an integer from 3 to 1048576, got 2");
  EXPECT_EQ(message([](PretrainOptions& o) { o.optimizer.beta1 = 1; }),
            "beta1: expected a number of at least 0 and below 1, got 1");
  EXPECT_EQ(message([](PretrainOptions& o) { o.optimizer.kind = "lion"; }), "optimizer: expected adamw, got \"lion\"");
  EXPECT_EQ(message([](PretrainOptions& o) { o.schedule.epochs = 0; }),
            "epochs: expected a number above 0 and at most 1000000000, got 0");
  EXPECT_EQ(message([](PretrainOptions& o) { o.objective = "clm", o.whole_word = true; }),
            "whole_word: objective clm masks nothing");
  EXPECT_EQ(message([](PretrainOptions& o) { o.objective = "clm", o.mask_probability = 0.15; }),
            "mask_probability: objective clm masks nothing");
}

}  // namespace
}  // namespace roformer
