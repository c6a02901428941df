#include "tasks/saved_predictions.h"

#include "base/error.h"
#include "base/file.h"
#include "tasks/task_comparison.h"
#include "tasks/task_scores.h"
#include "tests/base/temp_directory.h"
#include "tests/tasks/predicted_example.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace roformer::test {
namespace {

using ::testing::HasSubstr;

// One example of each kind that is right and one that is wrong.
PredictedExamples two(TaskKind kind) {
  PredictedExamples of{.labels = {"b", "a"}};
  switch (kind) {
    case TaskKind::classification:
      of.examples = {example({"x"}, {"b"}), example({"y", "z"}, {"b"})};
      of.predictions = {prediction({{0.7, 0.3}}), prediction({{0.25, 0.75}})};
      break;
    case TaskKind::multilabel:
      of.examples = {example({"x"}, {"a"}), example({"y"})};
      of.predictions = {prediction({{0.1}, {0.9}}), prediction({{0.6}, {0.2}})};
      break;
    case TaskKind::regression:
      of.examples = {example({"x"}), example({"y"})};
      of.examples[1].value = 2.5;
      of.predictions = {prediction({{1.0 / 3}}), prediction({{2}})};
      break;
    case TaskKind::token_classification:
      of.labels = {"O", "B-X"};
      of.examples = {example({"x", "y"}, {"O", "B-X"}), example({"z"}, {"B-X"})};
      of.predictions = {prediction({{0.9, 0.1}, {0.2, 0.8}}), prediction({{0.6, 0.4}})};
      break;
    case TaskKind::question_answering:
      of.examples = {example({"q", "the context"}), example({"r", "the context"})};
      of.examples[0].answers = {{"context"}};
      of.examples[1].answers = {{"the"}, {"context"}};
      of.predictions = {prediction({}), prediction({})};
      of.predictions[0].answer = {.text = "context", .score = 0.5};
      of.predictions[1].answer = {.text = "another context", .score = 0.25};
      break;
    case TaskKind::multiple_choice:
      of.examples = {example({"p", "x", "y"}), example({"p", "x", "y"})};
      of.examples[0].choice = of.examples[1].choice = 1;
      of.predictions = {prediction({{0.3, 0.7}}), prediction({{0.6, 0.4}})};
      break;
    default:
      of.examples = {example({"x", "y", "z"}), example({"x", "y", "z"})};
      of.examples[0].choice = of.examples[1].choice = 0;
      of.predictions = {prediction({{0.3}, {0.2}}), prediction({{0.6}, {0.7}})};
  }
  return of;
}

const std::vector<std::string> kNames = {"classification",     "multilabel",      "regression", "token-classification",
                                         "question-answering", "multiple-choice", "triplet"};

TEST(SavedPredictions, GiveTheSameMetricsAndTheSameFile) {
  const TempDirectory directory;
  for (const std::string& name : kNames) {
    const Task& task = find_task(name);
    const PredictedExamples before = two(task.kind);
    write_predictions(directory / "first", task, before.labels, before.examples, before.predictions);
    const PredictedExamples after = read_predictions(task, directory / "first", before.labels);
    EXPECT_EQ(task_metrics(task, after.labels, after.examples, after.predictions).once(),
              task_metrics(task, before.labels, before.examples, before.predictions).once())
        << name;
    write_predictions(directory / "second", task, after.labels, after.examples, after.predictions);
    EXPECT_EQ(read_file(directory / "second", 1 << 20), read_file(directory / "first", 1 << 20)) << name;
  }
}

TEST(SavedPredictions, OfAnotherTaskOrModelAreRefused) {
  const TempDirectory directory;
  const PredictedExamples labels = two(TaskKind::classification);
  const Task& task = find_task("classification");
  write_predictions(directory / "file", task, labels.labels, labels.examples, labels.predictions);
  EXPECT_THROW(read_predictions(task, directory / "file", {"b", "c"}), DataError);
  for (const std::string& name : kNames) {
    if (name == "classification") continue;
    EXPECT_THROW(read_predictions(find_task(name), directory / "file", labels.labels), DataError) << name;
  }
  write_file_atomically(directory / "file", "{\"texts\": [\"a\"]}\n");
  try {
    read_predictions(task, directory / "file", labels.labels);
    ADD_FAILURE();
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), HasSubstr("file:1"));
  }
}

TEST(TaskComparison, CountsWhatOnlyOneHasRight) {
  ThreadPool pool(1);
  for (const std::string& name : kNames) {
    const Task& task = find_task(name);
    const PredictedExamples first = two(task.kind);
    PredictedExamples second = first;
    second.predictions[0] = first.predictions[1];
    if (task.kind == TaskKind::token_classification) {
      second.predictions[0] = first.predictions[0];
      second.predictions[1].outputs = {{0.1, 0.9}};
    }
    const TaskComparison comparison = compare_predictions(task, first, second, pool);
    EXPECT_EQ(comparison.examples, 2) << name;
    const bool whole = task.kind != TaskKind::regression && task.kind != TaskKind::token_classification;
    ASSERT_EQ(comparison.right.has_value(), whole) << name;
    EXPECT_EQ(comparison.right.value_or(McNemarTest{.only_first = 1}).only_first, 1) << name;
    const Json json = comparison_json(comparison, {"A", "B"});
    EXPECT_EQ(json.at("n"), 2);
    EXPECT_EQ(json.contains("mcnemar"), whole) << name;
    const std::string& metric = task.metrics.front();
    EXPECT_EQ(json.at("metrics").at(metric).size(), 2u) << name;
  }
}

TEST(TaskComparison, OfOtherExamplesIsRefused) {
  ThreadPool pool(1);
  const Task& task = find_task("classification");
  const PredictedExamples first = two(task.kind);
  PredictedExamples second = first;
  second.examples[1].texts = {"another"};
  try {
    compare_predictions(task, first, second, pool);
    ADD_FAILURE();
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), HasSubstr("example 2 of the two is not the same one"));
  }
  second.examples.pop_back();
  second.predictions.pop_back();
  EXPECT_THROW(compare_predictions(task, first, second, pool), DataError);
}

}  // namespace
}  // namespace roformer::test
