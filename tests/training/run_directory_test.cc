#include "training/run_directory.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "tests/training/training_trial.h"
#include "training/optimizer.h"

namespace roformer::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class RunDirectoryTest : public TrainingTrial {
 protected:
  RunDirectory open(const Json& settings) const { return {path_, settings, {{"config.json", "{}\n"}}}; }
  std::string file(const std::string& name) const { return join_path(path_, name); }
  std::string content(const std::string& name) const { return read_file(file(name), 1 << 20); }
  bool exists(const std::string& name) const { return std::filesystem::exists(file(name)); }
  template <class E>
  std::string message(const Json& settings) const {
    try {
      open(settings);
    } catch (const E& error) {
      return error.what();
    }
    return "";
  }

  const std::string path_ = directory_ / "run";
  const Json settings_ = {{"seed", 1}, {"model", {{"hidden_size", 8}, {"layers", 1}}}};
  Model model_{*backend_, config(), true};
  std::unique_ptr<Optimizer> optimizer_ = make_optimizer(model_, {});
  LanguageObjective objective_ = objective(model_, 2, 1);
};

TEST_F(RunDirectoryTest, ANewOneHoldsSettingsAndFiles) {
  RunDirectory directory = open(settings_);
  EXPECT_EQ(directory.resumed_step(), 0);
  EXPECT_EQ(content("config.json"), "{}\n");
  EXPECT_EQ(Json::parse(content("training/settings.json")), settings_);
  EXPECT_EQ(directory.restore(model_, optimizer_->state(), objective_).tokens, 0);
}

TEST_F(RunDirectoryTest, EveryDifferenceIsNamed) {
  open(settings_);
  Json other = settings_;
  other["seed"] = 2;
  other["model"]["layers"] = 3;
  other["new"] = "x";
  const std::string said = message<UsageError>(other);
  EXPECT_THAT(said, HasSubstr(path_));
  EXPECT_THAT(said, HasSubstr("seed was 1, now 2"));
  EXPECT_THAT(said, HasSubstr("layers was 1, now 3"));
  EXPECT_THAT(said, HasSubstr("new was null, now \"x\""));
  EXPECT_THAT(said, Not(HasSubstr("hidden_size")));
  EXPECT_EQ(message<Error>(settings_), "");
  EXPECT_EQ(Json::parse(content("training/settings.json")), settings_);
  write_file_atomically(file("training/settings.json"), "[1]");
  EXPECT_THAT(message<DataError>(settings_), HasSubstr("settings.json: found array"));
  write_file_atomically(file("training/settings.json"), Json{{"seed", std::string(5000, 'x')}}.dump());
  EXPECT_THAT(message<UsageError>(settings_), HasSubstr("xxx..., now 1"));
  EXPECT_LT(message<UsageError>(settings_).size(), 500u);
  write_file_atomically(file("training/settings.json"), "{");
  EXPECT_THAT(message<DataError>(settings_), HasSubstr("settings.json"));
}

TEST_F(RunDirectoryTest, OtherSettingsMayBeGoneOnWith) {
  {
    RunDirectory directory = open(settings_);
    directory.restore(model_, optimizer_->state(), objective_);
    EXPECT_FALSE(directory.has_snapshot());
    directory.save(3, {.tokens = 30}, model_, optimizer_->state(), objective_, 2);
  }
  Json other = settings_;
  other["seed"] = 2;
  {
    const RunDirectory directory(path_, other, {}, [&](const JsonObject& started, const Json& now, int64_t step) {
      EXPECT_EQ(started.value(), settings_);
      EXPECT_EQ(step, 3);
      Json merged = now;
      merged["model"]["layers"] = 5;
      return merged;
    });
    EXPECT_TRUE(directory.has_snapshot());
  }
  other["model"]["layers"] = 5;
  EXPECT_EQ(Json::parse(content("training/settings.json")), other);
}

TEST_F(RunDirectoryTest, ARunOfBeforeDtypesWasFloat32) {
  open(settings_);
  Json now = settings_;
  now["dtype"] = "float32";
  EXPECT_EQ(message<Error>(now), "");
  now["dtype"] = "bfloat16";
  EXPECT_THAT(message<UsageError>(now), HasSubstr("dtype was \"float32\", now \"bfloat16\""));
}

TEST_F(RunDirectoryTest, DamagedFilesAreWrittenAgain) {
  open(settings_);
  write_file_atomically(file("config.json"), "{");
  open(settings_);
  EXPECT_EQ(content("config.json"), "{}\n");
}

TEST_F(RunDirectoryTest, ASnapshotWithoutItsFilesIsPassedOver) {
  {
    RunDirectory directory = open(settings_);
    directory.restore(model_, optimizer_->state(), objective_);
    directory.save(1, {.tokens = 10}, model_, optimizer_->state(), objective_, 2);
    directory.save(2, {.tokens = 20}, model_, optimizer_->state(), objective_, 2);
  }
  write_file_atomically(file("training/step-2/manifest.json"), R"({"step":2,"files":{}})");
  const RunDirectory directory = open(settings_);
  EXPECT_EQ(directory.resumed_step(), 1);
  ASSERT_EQ(directory.skipped().size(), 1u);
  EXPECT_THAT(directory.skipped()[0], HasSubstr("'model.safetensors' is missing"));
}

TEST_F(RunDirectoryTest, WhatOthersMadeIsRefused) {
  for (const char* name : {"model.safetensors", "config.json"}) {
    std::filesystem::remove_all(path_);
    make_directories(path_);
    write_file_atomically(file(name), "theirs");
    EXPECT_THAT(message<FileError>(settings_), HasSubstr(name));
    EXPECT_EQ(content(name), "theirs");
    EXPECT_FALSE(exists("training"));
  }
}

TEST_F(RunDirectoryTest, OneAtATime) {
  const RunDirectory first = open(settings_);
  EXPECT_THAT(message<FileError>(settings_), HasSubstr(path_));
}

TEST_F(RunDirectoryTest, SavesAndRestoresWeightsMomentsAndTokens) {
  model_.initialize({1, 2});
  for (const NamedParameter& named : model_.parameters()) backend_->fill(named.parameter.gradient, 0.5);
  optimizer_->step(1, 0.1, 1);
  {
    RunDirectory directory = open(settings_);
    directory.restore(model_, optimizer_->state(), objective_);
    directory.save(7, {.tokens = 1234}, model_, optimizer_->state(), objective_, 2);
  }
  Model model(*backend_, config(), true);
  const auto optimizer = make_optimizer(model, {});
  RunDirectory directory = open(settings_);
  EXPECT_EQ(directory.resumed_step(), 7);
  EXPECT_EQ(directory.restore(model, optimizer->state(), objective_).tokens, 1234);
  for (size_t i = 0; i < model.parameters().size(); ++i) {
    EXPECT_EQ(values(model.parameters()[i].parameter.value), values(model_.parameters()[i].parameter.value));
  }
  for (size_t i = 0; i < optimizer->state().size(); ++i) {
    EXPECT_EQ(values(optimizer->state()[i].second), values(optimizer_->state()[i].second));
  }
}

// The new event file tells TensorBoard the step from which older events are obsolete.
TEST_F(RunDirectoryTest, EveryStartBeginsAnEventFile) {
  const auto start = [](char step) { return std::string("\x10") + step + "\x3A\x02\x08\x01"; };  // SessionLog START
  const auto event_files = [&] {
    std::vector<std::string> contents;
    for (const auto& entry : std::filesystem::directory_iterator(file("tensorboard"))) {
      contents.push_back(content("tensorboard/" + entry.path().filename().string()));
    }
    return contents;
  };
  {
    RunDirectory directory = open({{"name", "a|b"}, {"model", {{"layers", 1}}}});
    directory.restore(model_, optimizer_->state(), objective_);
    ASSERT_EQ(event_files().size(), 1u);
    EXPECT_THAT(event_files()[0], HasSubstr(start('\0')));
    EXPECT_THAT(event_files()[0], HasSubstr("| model.layers | 1 |\n| name | a\\|b |\n"));
    directory.save(7, {.tokens = 0}, model_, optimizer_->state(), objective_, 2);
  }
  RunDirectory directory = open({{"name", "a|b"}, {"model", {{"layers", 1}}}});
  directory.restore(model_, optimizer_->state(), objective_);
  directory.log({{"event", "train"}, {"step", 8}, {"loss", 1}, {"note", "no number"}});
  ASSERT_EQ(event_files().size(), 2u);
  const std::string both = event_files()[0] + event_files()[1];
  EXPECT_THAT(both, HasSubstr(start('\x08')));
  EXPECT_THAT(both, HasSubstr("train/loss"));
  EXPECT_THAT(both, Not(HasSubstr("train/note")));
  EXPECT_EQ(both.find("| setting |"), both.rfind("| setting |"));
}

TEST_F(RunDirectoryTest, KeepsTheNewestAndPublishesTheirWeights) {
  RunDirectory directory = open(settings_);
  directory.restore(model_, optimizer_->state(), objective_);
  for (const int step : {5, 10, 15}) {
    backend_->fill(parameter(model_, "cls.predictions.bias").parameter.value, step);
    directory.save(step, {.tokens = step}, model_, optimizer_->state(), objective_, 2);
    const std::string weights = read_file(file("model.safetensors"), 1 << 24);
    EXPECT_EQ(weights, read_file(file("training/step-" + std::to_string(step) + "/model.safetensors"), 1 << 24));
  }
  EXPECT_FALSE(exists("training/step-5"));
  EXPECT_TRUE(exists("training/step-10"));
  EXPECT_TRUE(exists("training/step-15"));
}

TEST_F(RunDirectoryTest, TheWeightsOutsideAreThoseOfTheNewestSnapshotAlreadyWhenOpened) {
  {
    RunDirectory directory = open(settings_);
    directory.restore(model_, optimizer_->state(), objective_);
    directory.save(5, {.tokens = 5}, model_, optimizer_->state(), objective_, 2);
  }
  write_file_atomically(file("model.safetensors"), "older");
  open(settings_);
  EXPECT_EQ(read_file(file("model.safetensors"), 1 << 24),
            read_file(file("training/step-5/model.safetensors"), 1 << 24));
}

TEST_F(RunDirectoryTest, TheLogIsCutBackToTheSnapshot) {
  const std::string early = "{\"event\":\"train\",\"step\":1}\n{\"event\":\"validation\",\"step\":5}\n";
  {
    RunDirectory directory = open(settings_);
    directory.restore(model_, optimizer_->state(), objective_);
    directory.log({{"event", "train"}, {"step", 1}});
    directory.log({{"event", "validation"}, {"step", 5}});
    EXPECT_EQ(content("log.jsonl"), early);  // there at once
    directory.save(5, {.tokens = 5}, model_, optimizer_->state(), objective_, 2);
    directory.log({{"event", "train"}, {"step", 6}});
  }
  const std::string late = content("log.jsonl");
  for (const std::string& rest : {std::string(), std::string("{\"event\":\"train\",\"st"), std::string("[1]\nnull\n"),
                                  std::string("{\"step\":\"x\"}\n\n{{{\n"), std::string(3, '\0')}) {
    write_file_atomically(file("log.jsonl"), late + rest);
    RunDirectory directory = open(settings_);
    directory.restore(model_, optimizer_->state(), objective_);
    EXPECT_EQ(content("log.jsonl"), early);
    directory.log({{"event", "train"}, {"step", 6}});
    EXPECT_EQ(content("log.jsonl"), late);
  }
}

}  // namespace
}  // namespace roformer::test
