#include "tasks/finetune.h"

#include <nlohmann/json.hpp>
#include <numeric>

#include "inference/session.h"
#include "tasks/finetune_plan.h"
#include "tests/tasks/task_trial.h"

namespace roformer::test {
namespace {

using ::testing::HasSubstr;

class FinetuneKinds : public TaskTrial, public ::testing::WithParamInterface<std::string> {};

TEST_P(FinetuneKinds, LearnsAndPublishesTheBest) {
  const FinetuneOptions settings = options(GetParam(), "run");
  const FinetuneResult result = finetune(settings, *backend_);
  const std::vector<double> losses = logged(path("run"), "train", "loss");
  ASSERT_EQ(losses.size(), 30u);
  const auto mean = [](auto begin, auto end) { return std::accumulate(begin, end, 0.0) / 5; };
  EXPECT_LT(mean(losses.end() - 5, losses.end()), 0.7 * mean(losses.begin(), losses.begin() + 5));

  // What is published is the best validation, and evaluate() gives its numbers again.
  const Task& task = find_task(GetParam());
  const std::vector<double> validations = logged(path("run"), "validation", task.metrics.front());
  ASSERT_EQ(validations.size(), 5u);
  const Json evaluation = Json::parse(text_of(path("run/evaluation.json")));
  EXPECT_EQ(evaluation.at("metrics").at(task.metrics.front()).get<double>(), std::ranges::max(validations));
  EXPECT_EQ(evaluation.at("n"), 21);
  ASSERT_TRUE(result.training.best && result.scores);

  const Session session(path("run"), {.engine = {.threads = 1}});
  std::vector<std::string> notices;
  const std::vector<Example> examples = read_files(task, settings.validation, ReadOptions(), notices);
  const TaskEvaluation again =
      evaluate_task(task, session.model(), session.tokenizer(), examples, settings.validation[0],
                    {.inputs = {.max_length = 24}, .prediction = {}}, [](const std::string&) {});
  EXPECT_EQ(named_values(again.metrics).front().second, std::ranges::max(validations));
  EXPECT_THAT(text_of(path("run/report.html")), HasSubstr("Scores of 21 examples"));
}

INSTANTIATE_TEST_SUITE_P(Tasks, FinetuneKinds,
                         ::testing::Values("classification", "regression", "multilabel", "token-classification",
                                           "question-answering", "multiple-choice", "triplet"),
                         [](const auto& tested) {
                           std::string name = tested.param;
                           std::erase(name, '-');
                           return name;
                         });

class Finetune : public TaskTrial {
 protected:
  // Stops after `steps` more steps.
  void interrupt(FinetuneOptions settings, int64_t steps) {
    std::stop_source source;
    settings.stop_token = source.get_token();
    settings.times = [&](const StepCount& count) {
      if (count.done - count.start >= steps) source.request_stop();
      return std::string();
    };
    EXPECT_THROW(finetune(settings, *backend_), Interrupted);
  }
};

TEST_F(Finetune, InterruptedAnywhereTheResultIsTheSame) {
  FinetuneOptions settings = options("classification", "whole");
  settings.schedule.epochs = 2;
  settings.dropout = 0.1;
  finetune(settings, *backend_);
  settings.output = path("parts");
  for (const int64_t steps : {3, 2, 4}) interrupt(settings, steps);
  finetune(settings, *backend_);
  expect_same_result("whole", "parts");
  EXPECT_TRUE(finetune(settings, *backend_).already_finished);
}

// As a process that is killed before the last file leaves it.
TEST_F(Finetune, WithoutItsEvaluationItIsEvaluatedAgain) {
  const FinetuneOptions settings = options("regression", "run");
  finetune(settings, *backend_);
  const std::string evaluation = text_of(path("run/evaluation.json"));
  for (const char* name : {"evaluation.json", "predictions.jsonl", "report.html"}) {
    std::filesystem::remove(path("run/" + std::string(name)));
  }
  EXPECT_FALSE(finetune(settings, *backend_).already_finished);
  EXPECT_EQ(text_of(path("run/evaluation.json")), evaluation);
  EXPECT_THAT(text_of(path("run/report.html")), HasSubstr("right value"));
}

TEST_F(Finetune, WhatGoesOnHasNoEvaluationYet) {
  FinetuneOptions settings = options("regression", "run");
  settings.schedule.kind = "constant";
  settings.schedule.warmup = 0;
  settings.schedule.epochs.reset();
  settings.schedule.steps = 4;
  finetune(settings, *backend_);
  settings.schedule.steps = 12;
  interrupt(settings, 3);
  EXPECT_FALSE(std::filesystem::exists(path("run/evaluation.json")));
  finetune(settings, *backend_);
  EXPECT_TRUE(finetune(settings, *backend_).already_finished);
}

TEST_F(Finetune, TheLeastErrorIsTheBest) {
  FinetuneOptions settings = options("regression", "run");
  settings.metric = "mse";
  finetune(settings, *backend_);
  const std::vector<double> errors = logged(path("run"), "validation", "mse");
  ASSERT_LT(std::ranges::min(errors), std::ranges::max(errors));
  EXPECT_EQ(Json::parse(text_of(path("run/evaluation.json")))["metrics"]["mse"].get<double>(),
            std::ranges::min(errors));
}

TEST_F(Finetune, ThreadsDoNotChangeAnything) {
  FinetuneOptions settings = options("triplet", "one");
  settings.schedule.epochs = 2;
  finetune(settings, *backend_);
  ThreadPool pool(3);
  settings.output = path("three");
  finetune(settings, *make_backend("cpu", pool));
  expect_same_result("one", "three");
}

TEST_F(Finetune, RecipesTrain) {
  const auto learns = [&](FinetuneOptions settings) {
    finetune(settings, *backend_);
    const std::vector<double> losses = logged(settings.output, "train", "loss");
    EXPECT_LT(losses.back(), losses.front()) << settings.output;
    return std::ssize(losses);
  };
  FinetuneOptions settings = options("classification", "parts");
  settings.batch_tokens = 20;  // less than a step has
  learns(settings);
  settings = options("classification", "r_drop");
  settings.r_drop = 1;
  settings.dropout = 0.1;
  learns(settings);
  settings = options("classification", "weights");
  settings.class_weights = {"low=3"};
  settings.label_smoothing = 0.1;
  learns(settings);
  settings = options("classification", "patience");
  settings.patience = 1;
  settings.schedule.epochs = 20;
  EXPECT_LT(learns(settings), 120) << "validations without progress end the run";
}

TEST_F(Finetune, AWeightedLabelIsPredictedMoreOften) {
  const auto predicted_low = [&](const std::string& output, const std::vector<std::string>& weights) {
    FinetuneOptions settings = options("classification", output);
    // Nothing tells the labels apart.
    write_file_atomically(settings.train[0], "text\tlabel\na\tlow\na\thigh\na\tlow\na\thigh\na\thigh\na\thigh\n");
    write_file_atomically(settings.validation[0], "text\tlabel\na\tlow\na\thigh\n");
    settings.schedule.epochs = 200;
    settings.class_weights = weights;
    settings.metric = "loss";
    settings.validate_every = 200;
    finetune(settings, *backend_);
    return Json::parse(text_of(path(output + "/predictions.jsonl"))
                           .substr(0, text_of(path(output + "/predictions.jsonl")).find('\n')))
        .at("scores")
        .at("low")
        .get<double>();
  };
  EXPECT_NEAR(predicted_low("plain", {}), 1.0 / 3, 0.05);
  EXPECT_NEAR(predicted_low("balanced", {"balanced"}), 0.5, 0.05);
  EXPECT_NEAR(predicted_low("given", {"low=4"}), 2.0 / 3, 0.05);
}

TEST_F(Finetune, BadSettingsAreRefusedBeforeAnythingIsWritten) {
  const auto expect_refused = [&](const std::function<void(FinetuneOptions&)>& change, const std::string& part) {
    FinetuneOptions settings = options("classification", "refused");
    change(settings);
    try {
      finetune(settings, *backend_);
      ADD_FAILURE() << part;
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr(part));
    }
    EXPECT_FALSE(exists(path("refused"))) << part;
  };
  expect_refused([](auto& s) { s.metric = "acuracy"; }, "\"acuracy\", expected one of loss, accuracy, macro_f1");
  expect_refused([](auto& s) { s.class_weights = {"lower=2"}; }, "no label \"lower\", expected one of high, low");
  expect_refused([](auto& s) { s.class_weights = {"low=0"}; }, "a weight above 0");
  expect_refused([](auto& s) { s.folds = 3; }, "use one of");
  expect_refused(
      [](auto& s) {
        s.validation.clear();
        s.fold = 3;
      },
      "fold is one of several: expected folds");
  expect_refused([](auto& s) { s.task = "clasification"; }, "did you mean classification");
  expect_refused([](auto& s) { write_file_atomically(s.train[0], "text\tlabel\na\tlow\nb\tlow\n"); },
                 "have the label \"low\", expected at least two labels");
  expect_refused([](auto& s) { write_file_atomically(s.train[0], "text\na\nb\n"); }, "label");
  expect_refused([](auto& s) { write_file_atomically(s.validation[0], "text\tlabel\n"); }, "no example");
  FinetuneOptions settings = options("regression", "refused");
  for (const char* value : {"NaN", "much"}) {
    write_file_atomically(settings.train[0], fmt::format("text\tlabel\na\t1\nb\t{}\n", value));
    try {
      finetune(settings, *backend_);
      ADD_FAILURE() << value;
    } catch (const DataError& error) {
      EXPECT_THAT(error.what(),
                  HasSubstr(fmt::format("train.tsv:3: the label is \"{}\", expected a finite number", value)));
    }
  }
}

TEST_F(Finetune, UnknownLabelsOfValidationCountAsWrongAndAreSaid) {
  FinetuneOptions settings = options("classification", "run");
  write_file_atomically(settings.validation[0], "text\tlabel\naaa\tlow\naaa\tlow\nzzz\tnew\nzzz\tnewer\n");
  std::vector<std::string> warnings;
  settings.warned = [&](const std::string& warning) { warnings.push_back(warning); };
  const FinetuneResult result = finetune(settings, *backend_);
  EXPECT_EQ(result.scores->scores[0].value, 0.5);
  EXPECT_THAT(warnings,
              ::testing::Contains(HasSubstr("2 labels that the model does not have count as wrong: new, newer")));
  EXPECT_THAT(text_of(path("run/report.html")), HasSubstr("(not in training)"));
}

TEST_F(Finetune, AModelOfAnotherKindIsNotEvaluated) {
  const FinetuneOptions settings = options("regression", "run");
  finetune(settings, *backend_);
  const Session session(path("run"), {.engine = {.threads = 1}});
  std::vector<Example> examples(1);
  examples[0].texts = {"a"};
  for (const char* name : {"classification", "multilabel", "triplet", "question-answering"}) {
    EXPECT_THROW(evaluate_task(find_task(name), session.model(), session.tokenizer(), examples, "file",
                               {.inputs = {.max_length = 24}, .prediction = {}}, [](const std::string&) {}),
                 DataError)
        << name;
  }
}

TEST_F(Finetune, TagsThatDoNotFitAreCounted) {
  const FinetuneOptions settings = options("token-classification", "run");
  finetune(settings, *backend_);
  const Session session(path("run"), {.engine = {.threads = 1}});
  std::vector<Example> examples(1);
  examples[0].texts = {"say", "aaa"};
  examples[0].labels = {"O", "I-LOW"};
  std::vector<std::string> said;
  evaluate_task(find_task("token-classification"), session.model(), session.tokenizer(), examples, "file",
                {.inputs = {.max_length = 24}, .prediction = {}},
                [&](const std::string& text) { said.push_back(text); });
  EXPECT_THAT(said, ::testing::Contains(HasSubstr("file: 1 tag is inside an entity that has not begun")));
}

}  // namespace
}  // namespace roformer::test
