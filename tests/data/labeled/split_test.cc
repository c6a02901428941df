#include "data/labeled/split.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/random.h"

namespace roformer {
namespace {

using testing::SizeIs;

TEST(Split, HoldsOutAFraction) {
  const ExampleSplit split = split_examples(100, 0.2, 1);
  EXPECT_THAT(split.validation, SizeIs(20));
  std::set<size_t> all(split.train.begin(), split.train.end());
  all.insert(split.validation.begin(), split.validation.end());
  EXPECT_THAT(all, SizeIs(100));
  EXPECT_TRUE(std::is_sorted(split.train.begin(), split.train.end()));
  EXPECT_EQ(split.validation, split_examples(100, 0.2, 1).validation);
  EXPECT_NE(split.validation, split_examples(100, 0.2, 2).validation);
  EXPECT_THAT(split_examples(2, 0.001, 1).validation, SizeIs(1));
  EXPECT_THAT(split_examples(2, 0.999, 1).train, SizeIs(1));
  for (const double fraction : {0.0, 1.0, -1.0, std::nan("")}) EXPECT_THROW(split_examples(9, fraction, 1), UsageError);
  EXPECT_THROW(split_examples(1, 0.5, 1), DataError);
}

TEST(Split, FoldsValidateOnEachExampleOnce) {
  const auto folds = split_folds(11, 3, 7);
  std::vector<int> times(11);
  for (const ExampleSplit& fold : folds) {
    EXPECT_EQ(fold.train.size() + fold.validation.size(), 11u);
    EXPECT_GE(fold.validation.size(), 3u);
    for (const size_t example : fold.validation) ++times[example];
  }
  EXPECT_THAT(times, testing::Each(1));
  EXPECT_THROW(split_folds(11, 1, 7), UsageError);
  EXPECT_THROW(split_folds(2, 3, 7), DataError);
}

std::set<std::string> texts_in(const std::vector<Example>& examples, const std::vector<size_t>& indices) {
  std::set<std::string> texts;
  for (const size_t index : indices) texts.insert(examples[index].texts.begin(), examples[index].texts.end());
  return texts;
}

void expect_disjoint(const std::vector<Example>& examples, const std::vector<ExampleSplit>& folds) {
  std::vector<int> times(examples.size());
  for (const ExampleSplit& fold : folds) {
    const auto train = texts_in(examples, fold.train);
    for (const std::string& text : texts_in(examples, fold.validation)) EXPECT_FALSE(train.contains(text)) << text;
    for (const size_t example : fold.validation) ++times[example];
  }
  EXPECT_THAT(times, testing::Each(testing::Le(1)));
}

TEST(Split, GroupsWithSharedTextsStayTogether) {
  std::vector<Example> examples;
  for (int group = 0; group < 30; ++group) {
    for (int i = 0; i < 5; ++i) {
      examples.push_back({.texts = {fmt::format("{} anchor", group), fmt::format("{} {}", group, i), "x"}});
      examples.back().texts.pop_back();
    }
  }
  const auto folds = disjoint_folds(examples, 5, 1);
  expect_disjoint(examples, folds);
  for (const ExampleSplit& fold : folds) {
    EXPECT_THAT(fold.validation, SizeIs(30));
    EXPECT_THAT(fold.train, SizeIs(120));  // nothing is left out
  }
}

TEST(Split, TextsAreDividedWhereAllHangTogether) {
  // Triplets of 200 texts, most of near ones on a ring, so that all are connected.
  std::vector<Example> examples;
  Generator random({.seed = 5});
  for (int i = 0; i < 500; ++i) {
    const auto near = [&](uint64_t from) { return fmt::format("{}", (from + 1 + random.below(6)) % 200); };
    const uint64_t first = random.below(200);
    examples.push_back({.texts = {fmt::format("{}", first), near(first), near(first)}});
  }
  const auto folds = disjoint_folds(examples, 4, 3);
  expect_disjoint(examples, folds);
  size_t validated = 0;
  for (const ExampleSplit& fold : folds) {
    validated += fold.validation.size();
    EXPECT_GT(fold.train.size(), 200u);
  }
  EXPECT_GT(validated, 250u);  // a random division of the texts would leave about 1 in 16
  EXPECT_EQ(folds[2].train, disjoint_folds(examples, 4, 3)[2].train);
}

TEST(Split, FoldsThatCannotBeDisjointAreRefused) {
  const std::vector<Example> examples(10, Example{.texts = {"the same", "too"}});
  EXPECT_THROW(disjoint_folds(examples, 2, 1), DataError);
}

}  // namespace
}  // namespace roformer
