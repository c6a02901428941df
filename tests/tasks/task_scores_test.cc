#include "tasks/task_scores.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <map>

#include "base/error.h"

namespace roformer {
namespace {

using testing::ElementsAre;

std::map<std::string, double> scores(const std::string& task, const std::vector<std::string>& labels,
                                     const std::vector<Example>& examples, const std::vector<Prediction>& predictions) {
  const auto values = named_values(task_metrics(find_task(task), labels, examples, predictions));
  return {values.begin(), values.end()};
}

TEST(TaskScores, TheMetricsOfTheTaskComeFirst) {
  const std::vector<Example> examples = {{.labels = {"1"}}, {.labels = {"0"}}, {.labels = {"1"}}};
  const std::vector<Prediction> predictions = {
      {.outputs = {{0.2, 0.8}}}, {.outputs = {{0.4, 0.6}}}, {.outputs = {{0.3, 0.7}}}};
  const MetricSet metrics = task_metrics(find_task("mrpc"), {"0", "1"}, examples, predictions);
  EXPECT_EQ(metrics.names.at(0), "f1");
  EXPECT_EQ(metrics.names.at(1), "accuracy");
  EXPECT_DOUBLE_EQ(metrics.once().at(0), 0.8);
  EXPECT_DOUBLE_EQ(metrics.once().at(1), 2.0 / 3);
  EXPECT_EQ(task_metrics(find_task("cola"), {"0", "1"}, examples, predictions).names.at(0), "matthews");
}

TEST(TaskScores, UnknownLabelsCountAsWrong) {
  const auto result = scores("classification", {"x", "y"}, {{.labels = {"x"}}, {.labels = {"z"}}},
                             {{.outputs = {{0.9, 0.1}}}, {.outputs = {{0.9, 0.1}}}});
  EXPECT_DOUBLE_EQ(result.at("accuracy"), 0.5);
  const auto sets = scores("multilabel", {"x", "y"}, {{.labels = {"x"}}, {.labels = {"z"}}},
                           {{.outputs = {{0.9}, {0.1}}}, {.outputs = {{0.1}, {0.1}}}});
  EXPECT_DOUBLE_EQ(sets.at("exact_match"), 0.5);
}

TEST(TaskScores, EntitiesAreThoseOfTheTags) {
  const auto result =
      scores("conll2003", {"O", "B-PER", "I-PER"}, {{.texts = {"a", "b", "c"}, .labels = {"B-PER", "I-PER", "O"}}},
             {{.outputs = {{0, 1, 0}, {0, 0, 1}, {1, 0, 0}}}});
  EXPECT_DOUBLE_EQ(result.at("f1"), 1);
}

TEST(TaskScores, ATripletIsRightIfTheSimilarTextHasTheHigherScore) {
  const std::vector<Prediction> predictions = {{.outputs = {{0.4}, {0.3}}}, {.outputs = {{0.2}, {0.3}}}};
  const auto result = scores("cail2019-scm", {"similar"}, {{.choice = 0}, {.choice = 0}}, predictions);
  EXPECT_DOUBLE_EQ(result.at("accuracy"), 0.5);
}

TEST(TaskScores, NumbersAreCorrelated) {
  const std::vector<Example> examples = {{.value = 0}, {.value = 2}, {.value = 5}};
  const auto result = scores("sts-b", {}, examples, {{.outputs = {{0.1}}}, {.outputs = {{0.2}}}, {.outputs = {{4}}}});
  EXPECT_DOUBLE_EQ(result.at("spearman"), 1);
}

TEST(TaskScores, AnswersAreComparedByWordsOrCharacters) {
  const auto answer = [](const char* text) { return Prediction{.answer = {.text = text}}; };
  // "The fox" is "fox" without its article.
  const auto english = scores("question-answering", {}, {{.answers = {{"The fox"}}}}, {answer("fox")});
  EXPECT_DOUBLE_EQ(english.at("exact_match"), 1);
  // Two of three characters.
  const auto chinese = scores("question-answering", {}, {{.answers = {{"北京市"}}}}, {answer("北京")});
  EXPECT_DOUBLE_EQ(chinese.at("f1"), 0.8);
  EXPECT_DOUBLE_EQ(chinese.at("exact_match"), 0);
}

TEST(TaskScores, OfErrorsTheLessTheBetter) {
  const std::vector<Example> examples = {{.value = 0}, {.value = 2}};
  const MetricSet metrics = task_metrics(find_task("regression"), {}, examples,
                                         std::vector<Prediction>{{.outputs = {{0}}}, {.outputs = {{1}}}});
  std::vector<std::string> lower;
  std::ranges::copy_if(metrics.names, std::back_inserter(lower),
                       [](const auto& name) { return !higher_is_better(name); });
  EXPECT_THAT(lower, ElementsAre("mse", "mae"));
  EXPECT_FALSE(higher_is_better("loss"));
}

TEST(TaskScores, ThereIsAPredictionForEachExample) {
  EXPECT_THROW(task_metrics(find_task("cola"), {"0", "1"}, std::vector<Example>(2), std::vector<Prediction>(1)),
               ShapeError);
}

}  // namespace
}  // namespace roformer
