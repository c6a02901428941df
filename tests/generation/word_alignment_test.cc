#include "generation/word_alignment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/utf8.h"
#include "text/translation_tokenizers.h"

namespace roformer::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class WordAlignmentTest : public ::testing::Test {
 protected:
  TranslationTokenizers tokenizers_ = load_translation_tokenizers(ROFORMER_SOURCE_DIR "/tests/fixtures/marian/shared");
  const Tokenizer& tokenizer_ = *tokenizers_.target;
};

TEST_F(WordAlignmentTest, DecodedRanges) {
  const std::vector<int32_t> ids = tokenizer_.encode("das Haus ist klein.").ids;
  const std::string text = tokenizer_.decode(ids);
  const auto ranges = decoded_ranges(tokenizer_, ids);
  ASSERT_EQ(ranges.size(), ids.size());
  std::string letters;
  for (const auto& [begin, end] : ranges) {
    letters += text.substr(begin, end - begin);
    EXPECT_TRUE(begin == end || (text[begin] != ' ' && text[end - 1] != ' '));
  }
  std::string expected = text;
  std::erase(expected, ' ');
  EXPECT_EQ(letters, expected);
  EXPECT_EQ(ranges.back()[0], ranges.back()[1]);  // the end token
}

// Every token is aligned to itself: words are, whatever tokens they are cut into.
TEST_F(WordAlignmentTest, WordsOfTokens) {
  const std::string text = "  das  Haus\u00a0ist klein.";
  const Encoding source = tokenizers_.source->encode(text);
  const std::vector<int32_t> ids = source.ids;
  std::vector<int32_t> links;
  for (size_t i = 0; i < ids.size(); ++i)
    links.push_back(is_translated(tokenizer_, ids[i]) ? static_cast<int32_t>(i) : -1);
  const std::string target = tokenizer_.decode(ids);
  const auto tokens = aligned_tokens(text, source.offsets, tokenizer_, ids, links, 0);
  EXPECT_EQ(pharaoh(word_pairs(text, target, tokens)), "0-0 1-1 2-2 3-3");
  // Behind another text.
  const auto moved = aligned_tokens(text, source.offsets, tokenizer_, ids, links, 6);
  EXPECT_EQ(pharaoh(word_pairs(text, "a b c " + target, moved)), "0-3 1-4 2-5 3-6");
}

TEST_F(WordAlignmentTest, PairsAreInOrderAndOnce) {
  const std::vector<AlignedToken> tokens = {
      {0, 1, true, 2, 3}, {1, 2, true, 2, 3}, {3, 4, true, 0, 1}, {4, 5}, {5, 5, true, 0, 1}};
  EXPECT_THAT(word_pairs("a b", "xy zz", tokens),
              ElementsAre(std::array<int64_t, 2>{0, 1}, std::array<int64_t, 2>{1, 0}));
  EXPECT_THAT(word_pairs("", "", {}), IsEmpty());
  EXPECT_EQ(pharaoh({}), "");
}

TEST_F(WordAlignmentTest, LanguageCodesAndSpecialTokensAreNotTranslated) {
  EXPECT_FALSE(is_translated(tokenizer_, tokenizer_.sep_id()));
  EXPECT_FALSE(is_translated(tokenizer_, tokenizer_.id(">>deu<<").value()));
  EXPECT_TRUE(is_translated(tokenizer_, tokenizer_.unk_id()));
  EXPECT_TRUE(is_translated(tokenizer_, tokenizer_.id("a").value()));
}

}  // namespace
}  // namespace roformer::test
