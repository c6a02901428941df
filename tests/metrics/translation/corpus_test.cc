#include "metrics/translation/corpus.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "tests/metrics/translation/segment_cases.h"

namespace roformer {
namespace {

struct TestSet {
  std::vector<std::string> hypotheses;
  std::vector<std::vector<std::string>> references;  // the first and the last of each segment
};

TestSet test_set(size_t references) {
  TestSet set{.hypotheses = {}, .references = std::vector<std::vector<std::string>>(references)};
  for (const test::SegmentCase& one : test::segment_cases()) {
    set.hypotheses.push_back(one.hypothesis);
    set.references[0].push_back(one.references.front());
    if (references > 1) set.references[1].push_back(one.references.back());
  }
  return set;
}

std::vector<double> scores_of(const TestSet& set, const TranslationOptions& options) {
  ThreadPool pool(1);
  return translation_metrics(translation_statistics(set.hypotheses, set.references, options, pool)).once();
}

std::vector<std::string> signatures_of(const TranslationOptions& options, int64_t references) {
  std::vector<std::string> result;
  for (const auto& [name, signature] : translation_metric_names(options, references)) {
    result.push_back(name + "|" + signature);
  }
  return result;
}

// Right values: sacreBLEU's corpus_score of the segments of tools/oracle_translation_metrics.py.
TEST(TranslationCorpus, ScoresAndSignaturesAreSacreBleus) {
  using ::testing::DoubleNear;
  using ::testing::ElementsAre;
  const auto near = [](double right) { return DoubleNear(right, 1e-9); };
  const TranslationOptions defaults;
  EXPECT_THAT(scores_of(test_set(1), defaults),
              ElementsAre(near(47.24195447297661), near(55.25674036076869), near(45.13274336283185)));
  EXPECT_THAT(signatures_of(defaults, 1),
              ElementsAre("BLEU|nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0",
                          "chrF2|nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|version:2.6.0",
                          "TER|nrefs:1|case:lc|tok:tercom|norm:no|punct:yes|asian:no|version:2.6.0"));
  const TranslationOptions others{.bleu = {.tokenizer = BleuTokenizer::international, .lowercase = true},
                                  .chrf = {.word_order = 2}};
  EXPECT_THAT(scores_of(test_set(2), others),
              ElementsAre(near(41.335872238324754), near(55.03113329087266), near(44.73684210526316)));
  EXPECT_THAT(signatures_of(others, 2),
              ElementsAre("BLEU|nrefs:2|case:lc|eff:no|tok:intl|smooth:exp|version:2.6.0",
                          "chrF2++|nrefs:2|case:mixed|eff:yes|nc:6|nw:2|space:no|version:2.6.0",
                          "TER|nrefs:2|case:lc|tok:tercom|norm:no|punct:yes|asian:no|version:2.6.0"));
  const TestSet one = test_set(1);
  ThreadPool pool(2);
  EXPECT_EQ(bleu_parts(translation_statistics(one.hypotheses, one.references, {}, pool).bleu_sums()),
            "74.2/50.9/40.8/33.3 (BP = 0.992 ratio = 0.992 hyp_len = 128 ref_len = 129)");
}

// What a bootstrap relies on.
TEST(TranslationCorpus, AResampleIsTheCorpusOfItsSegments) {
  const TestSet set = test_set(2);
  TestSet drawn{.hypotheses = {}, .references = std::vector<std::vector<std::string>>(2)};
  std::vector<int32_t> times;
  for (size_t i = 0; i < set.hypotheses.size(); ++i) {
    times.push_back(static_cast<int32_t>(i * 7 % 3));
    for (int32_t t = 0; t < times.back(); ++t) {
      drawn.hypotheses.push_back(set.hypotheses[i]);
      for (size_t r = 0; r < 2; ++r) drawn.references[r].push_back(set.references[r][i]);
    }
  }
  ThreadPool pool(1);
  const MetricSet metrics = translation_metrics(translation_statistics(set.hypotheses, set.references, {}, pool));
  const std::vector<double> of_drawn = scores_of(drawn, {}), weighted = metrics.values(times);
  for (size_t m = 0; m < 3; ++m) EXPECT_NEAR(weighted[m], of_drawn[m], 1e-9) << metrics.names[m];
}

TEST(TranslationCorpus, RefusesReferencesThatDoNotFitAndStops) {
  ThreadPool pool(1);
  const std::vector<std::string> two = {"a", "b"};
  EXPECT_THROW(translation_statistics(two, {}, {}, pool), ShapeError);
  EXPECT_THROW(translation_statistics(two, std::vector<std::vector<std::string>>{{"a"}}, {}, pool), ShapeError);
  std::stop_source stop;
  stop.request_stop();
  EXPECT_THROW(translation_statistics(two, std::vector<std::vector<std::string>>{two}, {}, pool, stop.get_token()),
               Interrupted);
}

}  // namespace
}  // namespace roformer
