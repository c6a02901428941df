// The trainer's schedule of events, with a scripted objective.
#include "training/trainer.h"

#include <array>
#include <filesystem>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "tests/training/trainer_trial.h"

namespace roformer::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

TEST_F(TrainerTest, AValidationThatWasStoppedIsMadeUpFor) {
  const std::map<int64_t, double> scores = {{4, 0.5}, {8, 0.9}, {10, 0.7}};
  best = BestOptions{.metric = "score", .higher = true};
  ScriptedObjective whole;
  whole.scores = scores;
  run(whole);
  const std::vector<std::string> expected = log();
  const std::string state = read_file(join_path(path_, "training/step-10/state.json"), 1 << 20);
  std::filesystem::remove_all(path_);

  ScriptedObjective stopped;
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

TEST_F(TrainerTest, LogsValidatesAndSavesWhenAsked) {
  ScriptedObjective script;
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
  ScriptedObjective script;
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
  ScriptedObjective script;
  EXPECT_EQ(run(script, 0).validation.labels, 2);
  EXPECT_THAT(log(), ElementsAre("validation 0"));
  EXPECT_THAT(snapshots(), ElementsAre("step-0"));
  validate_first = true;
  run(script, 5);  // not validated anew
  EXPECT_THAT(log(), ElementsAre("validation 0", "train 1", "validation 4", "train 5", "validation 5"));
}

TEST_F(TrainerTest, WithoutLabelsThereIsNoValidation) {
  ScriptedObjective script;
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
  ScriptedObjective script;
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
  ScriptedObjective script;
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
  ScriptedObjective script;
  EXPECT_THROW(run(script, 3), Interrupted);
  stop = std::stop_source();
  run(script, 3);
  EXPECT_THAT(seen, ElementsAre(std::array<int64_t, 3>{0, 1, 3}, std::array<int64_t, 3>{0, 2, 3},
                                std::array<int64_t, 3>{2, 3, 3}));
}

TEST_F(TrainerTest, HistogramsShowEveryParameterAndChangeNothing) {
  ScriptedObjective script;
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
class MovingScript final : public ScriptedObjective {
 public:
  Loss forward(const Context& context, int64_t micro_batch, double scale) override {
    context.backend.fill(gradient, 1);
    return ScriptedObjective::forward(context, micro_batch, scale);
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
  ScriptedObjective script;
  run(script);
  EXPECT_THAT(read_file(join_path(path_, "report.html"), 1 << 24), HasSubstr("Training of run"));
}

TEST_F(TrainerTest, AReportThatCannotBeWrittenLosesNothing) {
  make_directories(join_path(path_, "report.html"));
  ScriptedObjective script;
  EXPECT_EQ(run(script).steps, 10);
  EXPECT_THAT(snapshots(), ElementsAre("step-10", "step-9"));
}

TEST_F(TrainerTest, EventFilesThatCannotBeWrittenAreAnError) {
  make_directories(path_);
  write_file_atomically(join_path(path_, "tensorboard"), "in the way");
  ScriptedObjective script;
  EXPECT_THAT(failure<FileError>(script), HasSubstr("tensorboard"));
}

TEST_F(TrainerTest, TheLossIsTheMeanOverAllLabelsOfTheStep) {
  ScriptedObjective script;
  script.losses[{1, 1}] = 10;
  run(script, 1);
  const std::string line = read_file(join_path(path_, "log.jsonl"), 1 << 20);
  const Json event = Json::parse(line.substr(0, line.find('\n')));
  EXPECT_EQ(event["loss"], (6.0 + 10.0) / 4);
  EXPECT_EQ(event["learning_rate"], 0.1);
  EXPECT_EQ(event["tokens"], 10);
}

TEST_F(TrainerTest, ANonFiniteLossStopsItAndTheLastSnapshotRemains) {
  ScriptedObjective script;
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
  ScriptedObjective script;
  script.losses[{2, 0}] = std::numeric_limits<double>::infinity();
  EXPECT_THAT(failure<DataError>(script), HasSubstr("micro-batch 0 is infinite; nothing had been saved yet"));
}

TEST_F(TrainerTest, ANonFiniteValidationLossStopsItBeforeSaving) {
  ScriptedObjective script;
  script.on_prepare = [&](int64_t step) { script.validation_loss = step < 9 ? 1 : kNan; };
  EXPECT_THAT(failure<DataError>(script), HasSubstr("step 10: the validation loss is not a number"));
  EXPECT_THAT(snapshots(), ElementsAre("step-6", "step-9"));
}

TEST_F(TrainerTest, NonFiniteWeightsAreNotSaved) {
  ScriptedObjective script;
  prepare_model = [](Model& model) { parameter(model, "cls.predictions.bias").parameter.value.data<float>()[3] = NAN; };
  EXPECT_THAT(failure<DataError>(script),
              HasSubstr("step 3: the squared norm of cls.predictions.bias is not a number"));
  EXPECT_TRUE(snapshots().empty());
}

TEST_F(TrainerTest, ARequestToStopSavesAndStops) {
  ScriptedObjective script;
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
  ScriptedObjective script;
  script.on_prepare = [](int64_t step) {
    if (step == 6) throw Interrupted("stopped while reading text");
  };
  EXPECT_THAT(failure<Interrupted>(script), HasSubstr("saved after step 5"));
  EXPECT_THAT(snapshots(), ElementsAre("step-3", "step-5"));
}

TEST_F(TrainerTest, DataThatCannotBeReadCostsNoStep) {
  ScriptedObjective script;
  script.on_prepare = [](int64_t step) {
    if (step == 6) throw DataError("the text has gone");
  };
  EXPECT_THAT(failure<DataError>(script), HasSubstr("the text has gone"));
  EXPECT_THAT(snapshots(), ElementsAre("step-3", "step-5"));
  script.on_prepare = [](int64_t step) { EXPECT_GT(step, 5); };
  EXPECT_EQ(run(script).tokens, 100);
}

TEST_F(TrainerTest, ARequestInTheLastStepIsTooLateToMatter) {
  ScriptedObjective script;
  script.on_prepare = [&](int64_t step) {
    if (step == 10) stop.request_stop();
  };
  EXPECT_EQ(run(script).steps, 10);
}

}  // namespace
}  // namespace roformer::test
