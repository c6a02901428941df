#include "tasks/vectors/vector_search.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "base/random.h"

namespace roformer {
namespace {

using testing::ElementsAre;

VectorMatrix matrix(std::vector<double> values, int64_t width) {
  VectorMatrix vectors(std::ssize(values) / width, width);
  vectors.values = std::move(values);
  return vectors;
}

TEST(VectorSearch, FindsTheMostSimilarThatAreNotTheTextsOwn) {
  ThreadPool pool(1);
  const VectorMatrix vectors = matrix({1, 0.9, 0.8, 0.7, 0.8}, 1);
  const std::vector<std::vector<int32_t>> partners = {{1}, {0}, {}, {}, {}};
  const VectorSearch search{vectors, partners, {0, 1, 2, 3, 4}, pool};
  const std::vector<int32_t> texts = {0};
  EXPECT_THAT(search.nearest(texts, 2), ElementsAre(ElementsAre(2, 4)));  // the lower index of equals first
  EXPECT_THAT(search.nearest(texts, 9), ElementsAre(ElementsAre(2, 4, 3)));
}

TEST(VectorSearch, FindsWhatSortingFinds) {
  constexpr int64_t kTexts = 700, kWidth = 6, kCount = 5;
  VectorMatrix vectors(kTexts, kWidth);
  Generator generator({1, 0});
  for (double& value : vectors.values) value = generator.normal();
  const std::vector<std::vector<int32_t>> partners(kTexts);
  std::vector<int32_t> all(kTexts);
  std::iota(all.begin(), all.end(), 0);
  ThreadPool one(1), four(4);
  const auto found = VectorSearch{vectors, partners, all, four}.nearest(all, kCount);
  EXPECT_EQ(found, (VectorSearch{vectors, partners, all, one}.nearest(all, kCount)));
  for (const int32_t text : {0, 31, 699}) {
    std::vector<int32_t> sorted = all;
    std::erase(sorted, text);
    std::ranges::sort(sorted, std::greater(), [&](int32_t other) {
      double product = 0;
      row_products(vectors.row(text), 1, vectors.row(other), 1, kWidth, &product, 1);
      return product;
    });
    sorted.resize(kCount);
    EXPECT_EQ(found[static_cast<size_t>(text)], sorted);
  }
}

TEST(VectorSearch, RanksTheRightText) {
  ThreadPool pool(1);
  const VectorMatrix vectors = matrix({1, 0.5, 0.8, 0.5, 0.4}, 1);
  const std::vector<std::vector<int32_t>> partners = {{1}, {0}, {}, {}, {}};
  const std::vector<int32_t> texts = {0}, right = {1};
  const auto rank = VectorSearch{vectors, partners, {0, 1, 2, 3, 4}, pool}.ranks(texts, right).front();
  EXPECT_EQ(rank.rank, 3);  // behind 2, and 3 which is as similar
  EXPECT_EQ(rank.best, 2);
  EXPECT_EQ(rank.similarity, 0.8);
}

TEST(VectorSearch, VectorsThatAreAllEqualHaveTheWorstRank) {
  ThreadPool pool(1);
  const VectorMatrix vectors = matrix({1, 1, 1, 1}, 1);
  const std::vector<std::vector<int32_t>> partners(4);
  const std::vector<int32_t> texts = {0}, right = {1};
  EXPECT_EQ((VectorSearch{vectors, partners, {1, 2, 3}, pool}.ranks(texts, right).front().rank), 3);
}

}  // namespace
}  // namespace roformer
