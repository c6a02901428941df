#include "tasks/task_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tasks/evaluation.h"
#include "tests/tasks/predicted_example.h"

namespace roformer::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

std::string page_of(const std::string& task, PredictedExamples predicted) {
  ThreadPool pool(1);
  TaskResult result{.task = &find_task(task)};
  result.scores =
      scores_of(task_metrics(*result.task, predicted.labels, predicted.examples, predicted.predictions), pool);
  result.predicted = std::move(predicted);
  HtmlPage page("page");
  add_task_result(page, result);
  return page.finish();
}

TEST(TaskReport, ErrorsOfLabelsAreTheMostConfidentFirst) {
  const std::string page =
      page_of("classification", {.labels = {"low", "high"},
                                 .examples = {example({"right"}, {"low"}), example({"unsure"}, {"high"}),
                                              example({"sure"}, {"high"}), example({"odd"}, {"new"})},
                                 .predictions = {prediction({{0.9, 0.1}}), prediction({{0.6, 0.4}}),
                                                 prediction({{0.8, 0.2}}), prediction({{0.7, 0.3}})}});
  EXPECT_THAT(page, AllOf(HasSubstr("Scores of 4 examples"), HasSubstr("Confusion matrix"), HasSubstr("Reliability"),
                          HasSubstr("(not in training)"), HasSubstr("All 3 errors"), Not(HasSubstr("<td>right</td>"))));
  EXPECT_LT(page.find("sure</td>"), page.find("odd</td>"));
  EXPECT_LT(page.find("odd</td>"), page.find("unsure</td>"));
}

TEST(TaskReport, EachLabelOfSeveral) {
  const std::string page =
      page_of("multilabel", {.labels = {"low", "high"},
                             .examples = {example({"right"}, {"low", "high"}), example({"wrong"}, {"low"})},
                             .predictions = {prediction({{0.9}, {0.6}}), prediction({{0.8}, {0.7}})}});
  EXPECT_THAT(page,
              AllOf(HasSubstr("Labels"), HasSubstr(">low, high<"), HasSubstr("0.700"), HasSubstr("All 1 errors")));
}

TEST(TaskReport, NumbersAreDrawn) {
  PredictedExamples predicted{.labels = {"LABEL_0"},
                              .examples = {example({"near"}), example({"far"})},
                              .predictions = {prediction({{0.1}}), prediction({{3}})}};
  predicted.examples[1].value = 1;
  const std::string page = page_of("regression", predicted);
  EXPECT_THAT(page, AllOf(HasSubstr("<circle"), HasSubstr("2 predictions that are furthest off")));
  EXPECT_LT(page.find(">far<"), page.find(">near<"));
}

TEST(TaskReport, EntitiesByType) {
  const std::string page =
      page_of("token-classification", {.labels = {"O", "B-PLACE", "I-PLACE"},
                                       .examples = {example({"in", "New", "York"}, {"O", "B-PLACE", "I-PLACE"})},
                                       .predictions = {prediction({{1, 0, 0}, {0.7, 0.2, 0.1}, {0, 0.1, 0.9}})}});
  EXPECT_THAT(page, AllOf(HasSubstr("PLACE"), HasSubstr("1 tag that no entity begins before"),
                          HasSubstr("York (PLACE)"), HasSubstr("New York (PLACE)"), HasSubstr("in New York")));
}

TEST(TaskReport, AnswersTheWorstFirst) {
  PredictedExamples predicted{
      .labels = {},
      .examples = {example({"who?", "Ann eats"}), example({"what?", "Ann eats"}), example({"when?", "Ann eats"})},
      .predictions = {prediction({}), prediction({}), prediction({})}};
  for (Example& one : predicted.examples) one.answers = {{"Ann"}};
  predicted.predictions[0].answer.text = "Ann";
  predicted.predictions[1].answer.text = "Ann eats";
  predicted.predictions[2].answer.text = "eats";
  const std::string page = page_of("question-answering", predicted);
  EXPECT_THAT(page, HasSubstr("Of 3 questions, 1 are answered exactly, 1 partly, 1 wrongly."));
  EXPECT_THAT(page, Not(HasSubstr("who?")));
  EXPECT_LT(page.find("when?"), page.find("what?"));
}

TEST(TaskReport, ChoicesTripletsAndRanks) {
  PredictedExamples choices{
      .labels = {}, .examples = {example({"prompt", "one", "two"})}, .predictions = {prediction({{0.75, 0.25}})}};
  choices.examples[0].choice = 1;
  EXPECT_THAT(page_of("multiple-choice", choices), AllOf(HasSubstr("0.750"), HasSubstr(">one<"), HasSubstr(">two<")));
  PredictedExamples triplets{.labels = {"similar"},
                             .examples = {example({"first", "second", "third"})},
                             .predictions = {prediction({{0.25}, {0.5}})}};
  triplets.examples[0].choice = 0;
  EXPECT_THAT(page_of("triplet", triplets), AllOf(HasSubstr("0.250"), HasSubstr("0.500"), HasSubstr(">third<")));
  PredictedExamples ranks{
      .labels = {}, .examples = {example({"anchor", "positive"})}, .predictions = {prediction({{2}})}};
  ranks.predictions[0].answer = {.text = "other", .score = 0.5};
  EXPECT_THAT(page_of("contrastive", ranks), AllOf(HasSubstr(">other<"), HasSubstr(">positive<"), HasSubstr("0.500")));
}

}  // namespace
}  // namespace roformer::test
