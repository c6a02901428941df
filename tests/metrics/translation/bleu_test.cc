#include "metrics/translation/bleu.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/utf8.h"
#include "metrics/translation/words.h"
#include "tests/metrics/translation/segment_cases.h"

namespace roformer {
namespace {

std::string separated(std::string_view text, BleuTokenizer tokenizer) {
  std::string result;
  const std::u32string spaced = separate_tokens(to_code_points(text), tokenizer);
  for (const std::u32string_view token : split_words(spaced)) result += (result.empty() ? "" : " ") + to_utf8(token);
  return result;
}

BleuStatistics statistics_of(const std::vector<int64_t>& values) {
  return {.hypothesis_length = values[0],
          .reference_length = values[1],
          .matches = {values[2], values[3], values[4], values[5]},
          .totals = {values[6], values[7], values[8], values[9]}};
}

TEST(Bleu, StatisticsOfSegmentsAreSacreBleus) {
  for (const test::SegmentCase& one : test::segment_cases()) {
    for (size_t t = 0; t < one.bleu.size(); ++t) {
      const bool lowercase = t == bleu_tokenizer_names().size();
      const auto tokenizer = lowercase ? BleuTokenizer::mteval13a : static_cast<BleuTokenizer>(t);
      const BleuStatistics found =
          bleu_statistics(one.hypothesis, test::references_of(one), {.tokenizer = tokenizer, .lowercase = lowercase});
      EXPECT_EQ(found, statistics_of(one.bleu[t])) << one.hypothesis << ", tokenizer " << t;
    }
  }
}

// sacreBLEU's tokenizers on the same texts.
TEST(Bleu, TokenizersSeparateAsSacreBleus) {
  using enum BleuTokenizer;
  EXPECT_EQ(separated("a..,,.. 3.5 5. .5 -3- x-3 3-x it's &amp;lt; (b)", mteval13a),
            "a . . , , . . 3.5 5 . . 5 -3 - x-3 3 - x it's < ( b )");
  EXPECT_EQ(separated("a..,,.. 3.5 5. .5 „q“ €5 b½. x+y", international),
            "a . . , , . . 3.5 5 . . 5 „ q “ € 5 b½ . x + y");
  EXPECT_EQ(separated("a b\u3000€ 好", character), "a b € 好");
  EXPECT_EQ(separated(" 好a，b.\u2001→x𠀀\u2A6Dy\u2A6Ez ", chinese), "好 a ， b . → x𠀀 \u2A6D y\u2A6Ez");
  EXPECT_EQ(separated("a.b,\u2003c\x1F-", none), "a.b, c -");
  EXPECT_EQ(find_bleu_tokenizer("zh"), chinese);
  EXPECT_THROW(find_bleu_tokenizer("ja-mecab"), UsageError);
}

TEST(Bleu, AScoreIsSmoothedAndPenalizedForBrevity) {
  const auto parts = [](std::string_view hypothesis, std::string_view reference) {
    return bleu_parts(bleu_statistics(hypothesis, std::vector<std::string_view>{reference}, {}));
  };
  EXPECT_EQ(parts("a b c", "a b c d"), "100.0/100.0/100.0/0.0 (BP = 0.717 ratio = 0.750 hyp_len = 3 ref_len = 4)");
  EXPECT_EQ(parts("a b", "x y z"), "0.0/0.0/0.0/0.0 (BP = 0.607 ratio = 0.667 hyp_len = 2 ref_len = 3)");
  EXPECT_EQ(parts("a b x y z v", "a b c d e f"),
            "33.3/20.0/12.5/8.3 (BP = 1.000 ratio = 1.000 hyp_len = 6 ref_len = 6)");
  EXPECT_EQ(parts("", ""), "0.0/0.0/0.0/0.0 (BP = 1.000 ratio = 0.000 hyp_len = 0 ref_len = 0)");
  EXPECT_EQ(parts("", "a"), "0.0/0.0/0.0/0.0 (BP = 0.000 ratio = 0.000 hyp_len = 0 ref_len = 1)");
}

}  // namespace
}  // namespace roformer
