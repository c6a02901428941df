#include "inference/sentence_split.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace roformer {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> sentences(std::string_view text) {
  const std::vector<size_t> starts = sentence_starts(text);
  std::vector<std::string> parts;
  for (size_t i = 0; i < starts.size(); ++i) {
    const size_t end = i + 1 < starts.size() ? starts[i + 1] : text.size();
    parts.emplace_back(text.substr(starts[i], end - starts[i]));
  }
  return parts;
}

TEST(SentenceStarts, BehindEndsAndSpace) {
  EXPECT_THAT(sentences("One. Two!  Three? (Four.) Five"),
              ElementsAre("One. ", "Two!  ", "Three? ", "(Four.) ", "Five"));
  EXPECT_THAT(sentences("3.14 of a.b is it."), ElementsAre("3.14 of a.b is it."));
  EXPECT_THAT(sentences("你好。再见！“好？”走"), ElementsAre("你好。", "再见！", "“好？”", "走"));
  EXPECT_THAT(sentences(""), ElementsAre(""));
}

// Words are tokens.
int64_t words(std::string_view text) { return text.empty() ? 0 : 1 + std::ranges::count(text, ' '); }

TEST(SplitText, AsManySentencesAsFit) {
  EXPECT_THAT(split_text("A b. C d. E f. G h.", 4, words), ElementsAre("A b. C d.", "E f. G h."));
  EXPECT_THAT(split_text("A b. C d. E f.", 100, words), ElementsAre("A b. C d. E f."));
  EXPECT_THAT(split_text("A b. C d e f g. H.", 2, words), ElementsAre("A b.", "C d", "e f", "g.", "H."));
}

TEST(SplitText, WordsThatAreTooLongAnywhere) {
  const auto characters = [](std::string_view text) { return static_cast<int64_t>(text.size()) / 2; };
  EXPECT_THAT(split_text("éééééé", 2, characters), ElementsAre("éé", "éé", "éé"));
  EXPECT_THAT(split_text("aaaa bbbbbbbb", 2, characters), ElementsAre("aaaa", "bbbbb", "bbb"));
}

TEST(SplitText, NothingOfNothing) {
  EXPECT_THAT(split_text("", 5, words), ElementsAre());
  EXPECT_THAT(split_text("   ", 0, words), ElementsAre());
}

}  // namespace
}  // namespace roformer
