// The trainer's schedule of events, with a scripted objective.
#include "training/trainer.h"

#include <array>
#include <filesystem>
#include <functional>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <stop_token>

#include "base/error.h"
#include "tests/training/training_trial.h"

namespace roformer::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

class Script : public Objective {
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
  TrainingResult run(Script& script, int64_t steps = 10) {
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
  std::string failure(Script& script) {
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

TEST_F(TrainerTest, AValidationThatWasStoppedIsMadeUpFor) {
  const std::map<int64_t, double> scores = {{4, 0.5}, {8, 0.9}, {10, 0.7}};
  best = BestOptions{.metric = "score", .higher = true};
  Script whole;
  whole.scores = scores;
  run(whole);
  const std::vector<std::string> expected = log();
  const std::string state = read_file(join_path(path_, "training/step-10/state.json"), 1 << 20);
  std::filesystem::remove_all(path_);

  Script stopped;
  stopped.scores = scores;
  stopped.stopped_validations = {4, 8, 10};
  for (const int64_t step : {4, 8, 10}) {
    EXPECT_THAT(failure<Interrupted>(stopped), HasSubstr(fmt::format("saved after step {}", step)));
  }
  const TrainingResult result = run(stopped);
  ASSERT_TRUE(result.best);
  EXPECT_EQ(result.best->step, 8);
  EXPECT_EQ(stopped.validations, 3);
  EXPECT_EQ(log(), expected);
  EXPECT_EQ(read_file(join_path(path_, "training/step-10/state.json"), 1 << 20), state);
}

// Of a model whose weights change by weight decay alone.
TEST_F(TrainerTest, TheMeanOfTheLastSnapshotsIsTriedAtTheEnd) {
  const auto weight = [](const Model& model) {
    return static_cast<double>(
        values(parameter(model, "roformer.encoder.layer.0.output.dense.weight").parameter.value)[0]);
  };
  prepare_model = [](Model& model) { model.initialize({5, 0}); };
  best = BestOptions{.metric = "score", .higher = true};
  average = 3;
  Script script;
  std::vector<double> validated, prepared;
  script.scores = {{4, 0.1}, {8, 0.2}, {10, 0.3}};
  script.seen_validation = [&] { validated.push_back(weight(*model_)); };
  script.on_prepare = [&](int64_t) { prepared.push_back(weight(*model_)); };
  run(script);
  // After 4, 8 and 10 steps; then the mean of those of 6, 9 and 10.
  ASSERT_EQ(validated.size(), 4u);
  EXPECT_NEAR(validated[3], (prepared[6] + prepared[9] + validated[2]) / 3, 1e-7);
  EXPECT_GT(std::abs(validated[3] - validated[2]), 1e-6);
  EXPECT_THAT(log(), ElementsAre("train 1", "validation 4", "best 4", "train 5", "validation 8", "best 8", "train 10",
                                 "validation 10", "best 10", "average 10"));

  // Interrupted where it was tried, and before: the same.
  const std::string events = read_file(join_path(path_, "training/step-10/state.json"), 1 << 20);
  std::filesystem::remove_all(path_);
  Script parts;
  parts.scores = script.scores;
  std::vector<double> again;
  bool stop_average = true;
  parts.seen_validation = [&] {
    if (again.size() == 3 && std::exchange(stop_average, false)) throw Interrupted("stopped");
    again.push_back(weight(*model_));
  };
  parts.on_prepare = [&](int64_t step) {
    if (step == 5 || step == 10) throw Interrupted("stopped");
  };
  EXPECT_THAT(failure<Interrupted>(parts), HasSubstr("saved after step 4"));
  parts.on_prepare = [&](int64_t step) {
    if (step == 10) throw Interrupted("stopped");
  };
  EXPECT_THAT(failure<Interrupted>(parts), HasSubstr("saved after step 9"));
  parts.on_prepare = nullptr;
  EXPECT_THAT(failure<Interrupted>(parts), HasSubstr("saved after step 10"));
  run(parts);
  EXPECT_EQ(again, validated);
  EXPECT_EQ(read_file(join_path(path_, "training/step-10/state.json"), 1 << 20), events);
}

TEST_F(TrainerTest, LogsValidatesAndSavesWhenAsked) {
  Script script;
  const TrainingResult result = run(script);
  EXPECT_EQ(result.steps, 10);
  EXPECT_EQ(result.tokens, 100);
  EXPECT_EQ(result.validation.loss, 1);
  EXPECT_THAT(log(), ElementsAre("train 1", "validation 4", "train 5", "validation 8", "train 10", "validation 10"));
  EXPECT_THAT(snapshots(), ElementsAre("step-10", "step-9"));
  EXPECT_EQ(script.seen.size(), 20u);
  std::sort(script.seen.begin(), script.seen.end());
  EXPECT_EQ(std::unique(script.seen.begin(), script.seen.end()), script.seen.end());  // each its own dropout
}

TEST_F(TrainerTest, ValidatesBeforeTheFirstStepWhereAskedTo) {
  validate_first = true;
  Script script;
  script.losses[{2, 0}] = kNan;
  EXPECT_NE(failure<DataError>(script), "");  // before anything was saved: it begins again
  EXPECT_THAT(log(), ElementsAre("validation 0", "train 1"));
  script.losses = {{{5, 0}, kNan}};
  EXPECT_NE(failure<DataError>(script), "");
  script.losses.clear();
  run(script);
  EXPECT_THAT(log(), ElementsAre("validation 0", "train 1", "validation 4", "train 5", "validation 8", "train 10",
                                 "validation 10"));
}

TEST_F(TrainerTest, WithoutStepsTheModelIsValidatedAndSaved) {
  Script script;
  EXPECT_EQ(run(script, 0).validation.labels, 2);
  EXPECT_THAT(log(), ElementsAre("validation 0"));
  EXPECT_THAT(snapshots(), ElementsAre("step-0"));
  validate_first = true;
  run(script, 5);  // not validated anew
  EXPECT_THAT(log(), ElementsAre("validation 0", "train 1", "validation 4", "train 5", "validation 5"));
}

TEST_F(TrainerTest, WithoutLabelsThereIsNoValidation) {
  Script script;
  script.validation_labels = 0;
  EXPECT_EQ(run(script).validation.labels, 0);
  EXPECT_THAT(log(), ElementsAre("train 1", "train 5", "train 10"));
}

std::string all_events(const std::string& directory) {
  std::string content;
  for (const auto& entry : std::filesystem::directory_iterator(join_path(directory, "tensorboard"))) {
    content += read_file(entry.path(), 1 << 24);
  }
  return content;
}

int count(const std::string& text, const std::string& part) {
  int result = 0;
  for (size_t at = 0; (at = text.find(part, at)) != std::string::npos; ++at) ++result;
  return result;
}

TEST_F(TrainerTest, EveryLoggedNumberGoesToTensorBoard) {
  Script script;
  run(script);
  const std::string events = all_events(path_);
  for (const char* tag : {"train/loss", "train/learning_rate", "train/gradient_norm", "train/tokens_per_second"}) {
    EXPECT_EQ(count(events, tag), 3) << tag;  // steps 1, 5 and 10
  }
  EXPECT_EQ(count(events, "validation/loss"), 3);
  EXPECT_EQ(count(events, "validation/accuracy"), 3);
  EXPECT_EQ(count(events, "/step"), 0);
  EXPECT_EQ(count(events, "gradients/"), 0);
}

TEST_F(TrainerTest, SpeedByCpuTimeIsLoggedWhereAskedFor) {
  const auto logged = [&] { return read_file(path_ + "/log.jsonl", 1 << 20).find("tokens_per_cpu_second"); };
  Script script;
  run(script, 2);
  EXPECT_EQ(logged(), std::string::npos);
  std::filesystem::remove_all(path_);
  cpu_speed = true;
  run(script, 2);
  EXPECT_NE(logged(), std::string::npos);
}

TEST_F(TrainerTest, SaysWhereItIsAfterEachStep) {
  std::vector<std::array<int64_t, 3>> seen;
  times = [&](const StepCount& steps) {
    seen.push_back({steps.start, steps.done, steps.all});
    if (steps.done == 2) stop.request_stop();
    return "";
  };
  Script script;
  EXPECT_THROW(run(script, 3), Interrupted);
  stop = std::stop_source();
  run(script, 3);
  EXPECT_THAT(seen, ElementsAre(std::array<int64_t, 3>{0, 1, 3}, std::array<int64_t, 3>{0, 2, 3},
                                std::array<int64_t, 3>{2, 3, 3}));
}

TEST_F(TrainerTest, HistogramsShowEveryParameterAndChangeNothing) {
  Script script;
  run(script);
  const std::string weights = read_file(join_path(path_, "model.safetensors"), 1 << 24);
  std::filesystem::remove_all(path_);
  histograms_every = 4;
  run(script);
  EXPECT_TRUE(read_file(join_path(path_, "model.safetensors"), 1 << 24) == weights);
  const std::string events = all_events(path_);
  const Model model(*backend_, config(), false);
  EXPECT_EQ(count(events, "gradients/"), 3 * std::ssize(model.parameters()));  // steps 4, 8 and 10
  EXPECT_EQ(count(events, "weights/"), 3 * std::ssize(model.parameters()));
  EXPECT_EQ(count(events, "weights/" + model.parameters()[0].name), 3);
}

// Weights that tell the steps apart: each step moves one element of a bias by a constant gradient.
class MovingScript final : public Script {
 public:
  Loss forward(const Context& context, int64_t micro_batch, double scale) override {
    context.backend.fill(gradient, 1);
    return Script::forward(context, micro_batch, scale);
  }
  Tensor gradient;
};

class BestTest : public TrainerTest {
 protected:
  BestTest() {
    best = {.metric = "score", .higher = true, .patience = 0};
    script.scores = {{4, 0.5}, {8, 0.9}, {10, 0.7}};
    prepare_model = [&](Model& model) {
      script.gradient = parameter(model, "cls.predictions.bias").parameter.gradient;
    };
  }
  std::string weights(const std::string& name) const { return read_file(join_path(path_, name), 1 << 24); }
  // The published weights of a run that ends after `steps`, which the schedule does not see.
  std::string weights_after(int64_t steps) {
    const auto kept = best;
    best.reset();
    std::filesystem::remove_all(path_);
    run(script, steps);
    std::string result = weights("model.safetensors");
    std::filesystem::remove_all(path_);
    best = kept;
    return result;
  }

  MovingScript script;
};

TEST_F(BestTest, TheBestWeightsArePublishedAndTheLastAreKept) {
  script.scores[5] = 0;
  const std::string after_8 = weights_after(8), after_10 = weights_after(10);
  ASSERT_NE(after_8, after_10);
  const TrainingResult result = run(script);
  EXPECT_EQ(result.best->step, 8);
  EXPECT_EQ(result.best->evaluation.metrics[0].second, 0.9);
  EXPECT_EQ(result.validation.metrics[0].second, 0.7);
  EXPECT_EQ(weights("model.safetensors"), after_8);
  EXPECT_EQ(weights("training/best/model.safetensors"), after_8);
  EXPECT_EQ(weights("training/step-10/model.safetensors"), after_10);
  EXPECT_THAT(log(), ElementsAre("train 1", "validation 4", "best 4", "train 5", "validation 8", "best 8", "train 10",
                                 "validation 10"));
  EXPECT_THAT(read_file(join_path(path_, "log.jsonl"), 1 << 20), HasSubstr(R"("score":0.9)"));
  RunDirectory directory(path_, Json::object(), {});
  EXPECT_EQ(directory.state().best.best->step, 8);
  EXPECT_EQ(directory.state().best.since, 1);
  EXPECT_FALSE(directory.state().finished_early);
}

TEST_F(BestTest, OfEqualValidationsTheFirstWinsAndNoneThatIsNotANumber) {
  script.scores = {{4, kNan}, {8, 0.5}, {10, 0.5}};
  EXPECT_EQ(run(script).best->step, 8);
  std::filesystem::remove_all(path_);
  script.scores = {{4, kNan}, {8, kNan}, {10, kNan}};
  EXPECT_FALSE(run(script).best);
  EXPECT_EQ(weights("model.safetensors"), weights("training/step-10/model.safetensors"));
}

TEST_F(BestTest, LowerIsBetterForALoss) {
  best->higher = false;
  EXPECT_EQ(run(script).best->step, 4);
}

TEST_F(BestTest, WithoutProgressTheRunEndsEarly) {
  best->patience = 1;
  script.scores = {{4, 0.5}, {8, 0.5}};
  const TrainingResult result = run(script);
  EXPECT_EQ(result.steps, 8);
  EXPECT_EQ(result.best->step, 4);
  EXPECT_THAT(log(),
              ElementsAre("train 1", "validation 4", "best 4", "train 5", "validation 8", "early_stop 8", "train 8"));
  EXPECT_THAT(snapshots(), ElementsAre("best", "step-6", "step-8"));
  {
    RunDirectory directory(path_, Json::object(), {});
    EXPECT_TRUE(directory.state().finished_early);
  }
  script.seen.clear();
  EXPECT_EQ(run(script).best->step, 4);
  EXPECT_TRUE(script.seen.empty()) << "trained on";
}

// A kill at any step, also between a best validation and the next snapshot.
TEST_F(BestTest, AnInterruptedRunEndsWithTheSameBytes) {
  run(script);
  const std::string published = weights("model.safetensors"), state = weights("training/step-10/state.json");
  for (int64_t step = 1; step <= 10; ++step) {
    SCOPED_TRACE(step);
    std::filesystem::remove_all(path_);
    script.losses = {{{step, 0}, kNan}};
    EXPECT_NE(failure<DataError>(script), "");
    script.losses.clear();
    EXPECT_EQ(run(script).best->step, 8);
    EXPECT_EQ(weights("model.safetensors"), published);
    EXPECT_EQ(weights("training/best/model.safetensors"), published);
    EXPECT_EQ(weights("training/step-10/state.json"), state);
  }
}

TEST_F(BestTest, WeightsThatNoSnapshotKnowsAreNotKept) {
  script.scores = {{4, 0.5}, {8, 0.9}, {10, 0.7}};
  script.losses = {{{9, 0}, kNan}};  // after the validation of step 8, before it is saved
  EXPECT_NE(failure<DataError>(script), "");
  const std::string after_8 = weights("model.safetensors");
  const RunDirectory directory(path_, Json::object(), {});
  EXPECT_EQ(directory.resumed_step(), 6);
  EXPECT_EQ(directory.state().best.best->step, 4);
  EXPECT_NE(weights("model.safetensors"), after_8);
  EXPECT_EQ(weights("model.safetensors"), weights("training/best/model.safetensors"));
}

TEST_F(BestTest, AnUnknownMetricIsNamed) {
  best->metric = "f1";
  EXPECT_THAT(failure<DataError>(script), HasSubstr("no \"f1\", expected one of loss, score"));
}

TEST_F(TrainerTest, EndsWithAReport) {
  Script script;
  run(script);
  EXPECT_THAT(read_file(join_path(path_, "report.html"), 1 << 24), HasSubstr("Training of run"));
}

TEST_F(TrainerTest, AReportThatCannotBeWrittenLosesNothing) {
  make_directories(join_path(path_, "report.html"));
  Script script;
  EXPECT_EQ(run(script).steps, 10);
  EXPECT_THAT(snapshots(), ElementsAre("step-10", "step-9"));
}

TEST_F(TrainerTest, EventFilesThatCannotBeWrittenAreAnError) {
  make_directories(path_);
  write_file_atomically(join_path(path_, "tensorboard"), "in the way");
  Script script;
  EXPECT_THAT(failure<FileError>(script), HasSubstr("tensorboard"));
}

TEST_F(TrainerTest, TheLossIsTheMeanOverAllLabelsOfTheStep) {
  Script script;
  script.losses[{1, 1}] = 10;
  run(script, 1);
  const std::string line = read_file(join_path(path_, "log.jsonl"), 1 << 20);
  const Json event = Json::parse(line.substr(0, line.find('\n')));
  EXPECT_EQ(event["loss"], (6.0 + 10.0) / 4);
  EXPECT_EQ(event["learning_rate"], 0.1);
  EXPECT_EQ(event["tokens"], 10);
}

TEST_F(TrainerTest, ANonFiniteLossStopsItAndTheLastSnapshotRemains) {
  Script script;
  script.losses[{8, 1}] = kNan;
  const std::string said = failure<DataError>(script);
  EXPECT_THAT(said, HasSubstr("step 8: the loss of micro-batch 1 is not a number"));
  EXPECT_THAT(said, HasSubstr("the last good state is step 6 in " + path_));
  EXPECT_THAT(snapshots(), ElementsAre("step-3", "step-6"));
  script.losses.clear();
  run(script);
  EXPECT_THAT(log(), ElementsAre("train 1", "validation 4", "train 5", "validation 8", "train 10", "validation 10"));
}

TEST_F(TrainerTest, BeforeTheFirstSaveThereIsNoneToName) {
  Script script;
  script.losses[{2, 0}] = std::numeric_limits<double>::infinity();
  EXPECT_THAT(failure<DataError>(script), HasSubstr("micro-batch 0 is infinite; nothing had been saved yet"));
}

TEST_F(TrainerTest, ANonFiniteValidationLossStopsItBeforeSaving) {
  Script script;
  script.on_prepare = [&](int64_t step) { script.validation_loss = step < 9 ? 1 : kNan; };
  EXPECT_THAT(failure<DataError>(script), HasSubstr("step 10: the validation loss is not a number"));
  EXPECT_THAT(snapshots(), ElementsAre("step-6", "step-9"));
}

TEST_F(TrainerTest, NonFiniteWeightsAreNotSaved) {
  Script script;
  prepare_model = [](Model& model) { parameter(model, "cls.predictions.bias").parameter.value.data<float>()[3] = NAN; };
  EXPECT_THAT(failure<DataError>(script),
              HasSubstr("step 3: the squared norm of cls.predictions.bias is not a number"));
  EXPECT_TRUE(snapshots().empty());
}

TEST_F(TrainerTest, ARequestToStopSavesAndStops) {
  Script script;
  script.on_prepare = [&](int64_t step) {
    if (step == 5) stop.request_stop();
  };
  EXPECT_THAT(failure<Interrupted>(script), HasSubstr("saved after step 5"));
  EXPECT_THAT(snapshots(), ElementsAre("step-3", "step-5"));
  script.on_prepare = nullptr;
  script.seen.clear();
  stop = std::stop_source();
  const TrainingResult result = run(script);
  EXPECT_EQ(result.steps, 10);
  EXPECT_EQ(result.tokens, 100);
  EXPECT_EQ(script.seen.size(), 10u);  // five steps more
}

TEST_F(TrainerTest, StoppedWhileItWaitsForDataItSavesWhatItHas) {
  Script script;
  script.on_prepare = [](int64_t step) {
    if (step == 6) throw Interrupted("stopped while reading text");
  };
  EXPECT_THAT(failure<Interrupted>(script), HasSubstr("saved after step 5"));
  EXPECT_THAT(snapshots(), ElementsAre("step-3", "step-5"));
}

TEST_F(TrainerTest, DataThatCannotBeReadCostsNoStep) {
  Script script;
  script.on_prepare = [](int64_t step) {
    if (step == 6) throw DataError("the text has gone");
  };
  EXPECT_THAT(failure<DataError>(script), HasSubstr("the text has gone"));
  EXPECT_THAT(snapshots(), ElementsAre("step-3", "step-5"));
  script.on_prepare = [](int64_t step) { EXPECT_GT(step, 5); };
  EXPECT_EQ(run(script).tokens, 100);
}

TEST_F(TrainerTest, ARequestInTheLastStepIsTooLateToMatter) {
  Script script;
  script.on_prepare = [&](int64_t step) {
    if (step == 10) stop.request_stop();
  };
  EXPECT_EQ(run(script).steps, 10);
}

}  // namespace
}  // namespace roformer::test
