#include "data/parallel/parallel_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/file.h"
#include "data/parallel/pair_batches.h"
#include "data/parallel/pair_filter.h"
#include "data/parallel/script.h"
#include "tests/base/temp_directory.h"

namespace roformer::test {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class Parallel : public ::testing::Test {
 protected:
  std::vector<std::string> file(const std::string& name, const std::string& content) {
    write_file_atomically(directory_ / name, content);
    return {directory_ / name};
  }
  ParallelText read(const std::string& source, const std::string& target) {
    return read_parallel_text(file("a.en", source), file("b.de", target));
  }
  template <class E>
  std::string failure(const std::string& source, const std::string& target) {
    try {
      read(source, target);
    } catch (const E& error) {
      return error.what();
    }
    return "";
  }

  TempDirectory directory_;
};

TEST_F(Parallel, ReadsLinesInPairs) {
  const ParallelText text = read("one\n two \n\nthree", "eins\r\nzwei\n\ndrei\n");
  ASSERT_EQ(text.size(), 4);
  EXPECT_EQ(text.source[1], "two");
  EXPECT_EQ(text.target[0], "eins");
  EXPECT_EQ(text.source[2], "");
  EXPECT_EQ(text.target[3], "drei");
  EXPECT_NE(text.source_hash, text.target_hash);
  EXPECT_EQ(text.source_hash, read("one\ntwo\n\nthree\n", "x\nx\nx\nx\n").source_hash);
}

TEST_F(Parallel, OtherNumbersOfLinesAreNamed) {
  EXPECT_THAT(failure<DataError>("a\nb\nc\n", "a\n"),
              AllOf(HasSubstr("a.en has 3 lines"), HasSubstr("b.de has 1 line")));
  EXPECT_THAT(failure<DataError>("a\n", "a\nb\nc\nd\n"),
              AllOf(HasSubstr("a.en has 1 line,"), HasSubstr("b.de has 4 lines")));
  EXPECT_THAT(failure<DataError>("", ""), HasSubstr("has no lines"));
  EXPECT_THAT(failure<DataError>("a\n\xff\n", "a\nb\n"), HasSubstr("a.en"));
  EXPECT_THROW(read_parallel_text(file("x", "a\n"), {}), UsageError);
}

TEST_F(Parallel, FiltersWhatIsNoTranslationAndCountsIt) {
  std::string source, target;
  for (int i = 0; i < 40; ++i) {
    source += "line " + std::to_string(i) + "\n";
    target += "Zeile " + std::to_string(i) + "\n";
  }
  source += "\nsame\nline 3\nЭто по-русски\n42\n";
  target += "leer\nsame\nZeile 3\nrussisch\n42 !\n";
  const ParallelText text = read(source, target);
  PairCounts counts;
  const std::vector<int64_t> retained = filter_texts(text, {}, counts);
  EXPECT_EQ(std::ssize(retained), 41);
  EXPECT_EQ(retained.back(), 44);
  EXPECT_EQ(counts.describe(),
            "45 pairs, 4 left out (1 empty, 1 the same on both sides, 1 duplicate, 1 in another script)");

  PairCounts all;
  EXPECT_EQ(filter_texts(text, {.identical = false, .duplicates = false, .scripts = false}, all).size(), 44u);
  EXPECT_EQ(all.describe(), "45 pairs, 1 left out (1 empty)");
}

TEST_F(Parallel, FiltersByLength) {
  PairCounts counts{.read = 5, .retained = 5};
  const PairFilterOptions options{.max_ratio = 3, .max_tokens = 50};
  EXPECT_TRUE(retains_lengths(1, 11, options, counts));
  EXPECT_FALSE(retains_lengths(1, 12, options, counts));
  EXPECT_FALSE(retains_lengths(39, 10, options, counts));
  EXPECT_FALSE(retains_lengths(40, 51, options, counts));
  EXPECT_TRUE(retains_lengths(50, 50, options, counts));
  EXPECT_EQ(counts.describe(), "5 pairs, 3 left out (1 too long, 2 too different in length)");
  EXPECT_TRUE(retains_lengths(1, 1000, {}, counts));
}

TEST(ScriptTest, IsThatOfMostLetters) {
  EXPECT_EQ(script_of("Grüße aus Köln, 2024!"), Script::latin);
  EXPECT_EQ(script_of("Привет, world"), Script::cyrillic);
  EXPECT_EQ(script_of("カタカナと漢字 ABC"), Script::ideographic);
  EXPECT_EQ(script_of("한국어"), Script::hangul);
  EXPECT_EQ(script_of("12 % – 34"), Script::none);
  EXPECT_EQ(script_of("ᏣᎳᎩ"), Script::other);
  EXPECT_EQ(script_of(U'ß'), Script::latin);
  EXPECT_EQ(script_of(U'×'), Script::none);
}

std::vector<PairLength> some_lengths(int32_t count) {
  std::vector<PairLength> lengths;
  for (int32_t i = 0; i < count; ++i) lengths.push_back({1 + i * 7 % 23, 1 + i * 5 % 19});
  return lengths;
}

TEST(PairBatchesTest, HaveEachPairOnceWithinTheBudget) {
  const std::vector<PairLength> lengths = some_lengths(5000);
  constexpr int64_t kBudget = 100;
  const auto batches = pair_batches(lengths, kBudget, {1, 2}, 3);
  std::vector<int> seen(lengths.size());
  int64_t similar = 0;
  for (const std::vector<int32_t>& batch : batches) {
    ASSERT_FALSE(batch.empty());
    int64_t source = 0, target = 0;
    for (const int32_t pair : batch) {
      ++seen[static_cast<size_t>(pair)];
      source += lengths[static_cast<size_t>(pair)][0];
      target += lengths[static_cast<size_t>(pair)][1];
    }
    EXPECT_LE(source, kBudget);
    EXPECT_LE(target, kBudget);
    const auto length = [&](int32_t pair) { return lengths[static_cast<size_t>(pair)][1]; };
    if (length(batch.back()) - length(batch.front()) <= 1) ++similar;
  }
  EXPECT_EQ(std::ranges::count(seen, 1), std::ssize(lengths));
  EXPECT_GT(similar, std::ssize(batches) * 9 / 10);
  EXPECT_EQ(pair_batches(lengths, kBudget, {1, 2}, 3), batches);
  EXPECT_NE(pair_batches(lengths, kBudget, {1, 2}, 4), batches);
  EXPECT_NE(pair_batches(lengths, kBudget, {2, 2}, 3), batches);
}

TEST(PairBatchesTest, APairBeyondTheBudgetIsABatch) {
  const std::vector<PairLength> lengths = {{3, 3}, {90, 4}, {4, 90}, {1, 1}};
  EXPECT_THAT(pair_batches_in_order(lengths, 10),
              ElementsAre(ElementsAre(0), ElementsAre(1), ElementsAre(2), ElementsAre(3)));
  EXPECT_THAT(pair_batches_in_order(lengths, 93), ElementsAre(ElementsAre(0, 1), ElementsAre(2, 3)));
  EXPECT_TRUE(pair_batches({}, 10, {1, 2}, 0).empty());
}

}  // namespace
}  // namespace roformer::test
