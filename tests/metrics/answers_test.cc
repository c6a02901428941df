#include "metrics/answers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace roformer {
namespace {

using Answers = std::vector<std::string>;

struct AnswerCase {
  std::string prediction;
  Answers answers;
  double exact_match, f1;
};

// Right values: the published rules with Python's str, re and Counter.
TEST(Answers, SquadComparesWordsWithoutCasePunctuationAndArticles) {
  const std::vector<AnswerCase> cases = {
      {"The Eiffel-Tower!", {"eiffel tower", "Paris"}, 0, 0},
      {"in the year 1999", {"1999", "the year of 1999"}, 0, 2.0 / 3},
      {"a cat, a dog", {"The dog", "cat dog bird"}, 0, 0.8},
      {"Ünder the Bridge", {"under bridge", "üNDER bridge"}, 1, 1},
      {"another cat", {"cat"}, 0, 2.0 / 3},
      {"ΟΔΟΣ", {"οδος"}, 1, 1},
      {"the–cat", {"cat"}, 0, 0},
      {"U.S.", {"US"}, 1, 1},
      {"cat cat", {"cat"}, 0, 2.0 / 3},
  };
  for (const auto& [prediction, answers, exact_match, f1] : cases) {
    const AnswerScore score = squad_score(prediction, answers);
    EXPECT_EQ(score.exact_match, exact_match) << prediction;
    EXPECT_NEAR(score.f1, f1, 1e-12) << prediction;
  }
}

// Right values: the published rules with nltk 3.10's word tokenizer.
TEST(Answers, CmrcComparesIdeographsAndTheWordsBetweenThem) {
  const std::vector<AnswerCase> cases = {
      {"《山海记》", {"山海记"}, 1, 1},
      {"东海大学附近", {"东海大学", "南山大学"}, 0, 0.8},
      {"共1,200人", {"1,200人", "1200人"}, 0, 0.8},
      {"The New York times。", {"new york Times"}, 0, 0.8571428571428571},
      {"约3.5%", {"3.5%"}, 0, 0.8},
      {"他于1990年……去世", {"1990年去世"}, 0, 0.36363636363636365},
      {"天", {"地"}, 0, 0},
      {"在A.B.中", {"A.B."}, 0, 2.0 / 3},
      {"等等…", {"等等"}, 0, 0.8},
  };
  for (const auto& [prediction, answers, exact_match, f1] : cases) {
    const AnswerScore score = cmrc_score(prediction, answers);
    EXPECT_EQ(score.exact_match, exact_match) << prediction;
    EXPECT_NEAR(score.f1, f1, 1e-12) << prediction;
  }
}

TEST(Answers, AQuestionWithoutAnAnswer) {
  for (const auto score : {squad_score, cmrc_score}) {
    EXPECT_EQ(score("", {}).f1, 1);
    EXPECT_EQ(score("", {}).exact_match, 1);
    EXPECT_EQ(score(" -", Answers{""}).f1, 1);
    EXPECT_EQ(score("x", {}).f1, 0);
    EXPECT_EQ(score("", Answers{"x"}).exact_match, 0);
    EXPECT_EQ(score("", Answers{"x"}).f1, 0);
  }
}

TEST(Answers, TheSetOfMetricsHasMeans) {
  const MetricSet metrics = answer_metrics({{.exact_match = 1, .f1 = 1}, {.exact_match = 0, .f1 = 0.5}});
  EXPECT_THAT(metrics.names, testing::ElementsAre("exact_match", "f1"));
  EXPECT_THAT(metrics.once(), testing::ElementsAre(0.5, 0.75));
}

}  // namespace
}  // namespace roformer
