// The trainer on a small model, with a scripted objective.
#pragma once

#include <algorithm>
#include <filesystem>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <stop_token>

#include "base/error.h"
#include "tests/training/training_trial.h"
#include "training/trainer.h"

namespace roformer::test {

class ScriptedObjective : public Objective {
 public:
  void prepare(int64_t step) override {
    if (on_prepare) on_prepare(step);
    step_ = step;
  }
  Json cursor() const override { return {{"step", step_}}; }
  void resume(const JsonObject& cursor) override { step_ = cursor.get_int("step", std::nullopt); }
  int64_t micro_batches() const override { return 2; }
  int64_t labels() const override { return 4; }
  int64_t tokens() const override { return 10; }
  Loss forward(const Context& context, int64_t micro_batch, double) override {
    EXPECT_TRUE(context.training);
    seen.push_back(substream(context.random, 0).stream);
    const auto found = losses.find({step_, micro_batch});
    return {context.backend, LossSum{.sum = found == losses.end() ? 6.0 : found->second, .correct = 0}};
  }
  Evaluation validate(const Context& context) override {
    EXPECT_FALSE(context.training);
    if (stopped_validations.erase(step_) > 0) throw Interrupted("stopped");
    if (seen_validation) seen_validation();
    ++validations;
    Evaluation result{.loss = validation_loss, .accuracy = 0.5, .labels = validation_labels};
    if (!scores.empty()) {
      result.accuracy.reset();
      result.metrics = {{"score", scores.at(step_)}};
    }
    return result;
  }

  std::function<void(int64_t)> on_prepare;
  std::function<void()> seen_validation;
  std::map<std::pair<int64_t, int64_t>, double> losses;  // of (step, micro-batch); 6 for the others
  double validation_loss = 1;
  int64_t validation_labels = 2;
  std::map<int64_t, double> scores;       // by step: reported instead of the accuracy
  std::set<int64_t> stopped_validations;  // the steps whose validation is interrupted, once
  int validations = 0;
  std::vector<uint64_t> seen;  // the random streams handed out

 private:
  int64_t step_ = 0;
};

class TrainerTest : public TrainingTrial {
 protected:
  TrainingResult run(ScriptedObjective& script, int64_t steps = 10) {
    TrainerOptions options{
        .schedule = {.kind = ScheduleKind::constant, .learning_rate = 0.1, .warmup = 0, .steps = steps},
        .optimizer = {},
        .intervals =
            {.validate_every = 4, .save_every = 3, .log_every = 5, .histograms_every = histograms_every, .keep = 2},
        .random = {3, 4},
        .validate_first = validate_first,
        .best = best,
        .average_snapshots = average,
        .stop_token = stop.get_token(),
        .cpu_speed = cpu_speed,
        .times = times};
    Model model(*backend_, config(), true);
    if (prepare_model) prepare_model(model);
    model_ = &model;
    RunDirectory directory(path_, Json::object(), {});
    return train(model, script, options, directory);
  }
  template <class E>
  std::string failure(ScriptedObjective& script) {
    try {
      run(script);
    } catch (const E& error) {
      return error.what();
    }
    return "";
  }
  std::vector<std::string> log() const {
    std::vector<std::string> events;
    const std::string text = read_file(join_path(path_, "log.jsonl"), 1 << 20);
    for (size_t begin = 0, end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
      const Json event = Json::parse(text.substr(begin, end - begin));
      events.push_back(event["event"].get<std::string>() + " " + dump_json(event["step"]));
    }
    return events;
  }
  std::vector<std::string> snapshots() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(join_path(path_, "training"))) {
      if (entry.is_directory()) names.push_back(entry.path().filename());
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  const std::string path_ = directory_ / "run";
  std::function<void(Model&)> prepare_model;
  int64_t histograms_every = 0;
  bool cpu_speed = false, validate_first = false;
  std::optional<BestOptions> best;
  int64_t average = 1;
  const Model* model_ = nullptr;  // that of the run, while it lasts
  std::function<std::string(const StepCount&)> times;
  std::stop_source stop;
};

}  // namespace roformer::test
