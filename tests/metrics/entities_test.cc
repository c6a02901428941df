#include "metrics/entities.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "base/error.h"

// Right values: seqeval 1.2.2, default mode.
namespace roformer {
namespace {

using testing::ElementsAre;

Tags tags_of(const std::string& text) {
  std::istringstream stream(text);
  Tags tags;
  for (std::string tag; stream >> tag;) tags.push_back(tag);
  return tags;
}

// "TYPE:BEGIN-LAST …"
std::string spans_of(const std::string& tags) {
  std::string text;
  for (const EntitySpan& span : entity_spans(tags_of(tags))) {
    text +=
        (text.empty() ? "" : " ") + span.type + ":" + std::to_string(span.begin) + "-" + std::to_string(span.end - 1);
  }
  return text;
}

TEST(Entities, Schemes) {
  EXPECT_EQ(spans_of("B-A I-A O B-B B-B I-B"), "A:0-1 B:3-3 B:4-5");                // IOB2
  EXPECT_EQ(spans_of("I-A I-A B-A I-A O I-B"), "A:0-1 A:2-3 B:5-5");                // IOB1
  EXPECT_EQ(spans_of("B-A I-A E-A B-A E-A S-A"), "A:0-2 A:3-4 A:5-5");              // BIOES
  EXPECT_EQ(spans_of("E-A E-A O I-B E-B"), "A:0-0 A:1-1 B:3-4");                    // IOE2
  EXPECT_EQ(spans_of("B-A I-A L-A U-A U-A O B-B L-B"), "A:0-2 A:3-3 A:4-4 B:6-7");  // BILOU
  EXPECT_EQ(spans_of("PER PER O ORG PER"), "PER:0-1 ORG:3-3 PER:4-4");              // types alone
  EXPECT_EQ(spans_of("B I O S E"), "_:0-1 _:3-3 _:4-4");                            // prefixes alone
  EXPECT_EQ(spans_of("B_A I_A O B-B-C I-B-C"), "A:0-1 B-C:3-4");
  EXPECT_EQ(spans_of(""), "");
  EXPECT_EQ(spans_of("O O"), "");
}

TEST(Entities, BrokenTagsStartAnEntity) {
  EXPECT_EQ(spans_of("O I-A I-A B-A I-B O E-A S-B S-B I-B E-B E-B O"),
            "A:1-2 A:3-3 B:4-4 A:6-6 B:7-7 B:8-8 B:9-10 B:11-11");
  EXPECT_EQ(spans_of("S-A I-A E-B I-B B-B"), "A:0-0 A:1-1 B:2-2 B:3-3 B:4-4");
  EXPECT_EQ(count_repaired_tags(tags_of("O I-A I-A B-A I-B O E-A S-B S-B I-B E-B E-B O")), 5);
  EXPECT_EQ(count_repaired_tags(tags_of("B-A I-A E-A O B-B I-B U-A S-B B-A")), 0);
  EXPECT_EQ(count_repaired_tags(tags_of("PER PER O ORG PER")), 0);
}

const std::vector<Tags> kGoldTags = {tags_of("B-PER I-PER O B-LOC"), tags_of("O B-ORG I-ORG O"), tags_of("B-LOC O O")};
const std::vector<Tags> kPredictedTags = {tags_of("B-PER I-PER O B-ORG"), tags_of("O I-ORG I-ORG O"),
                                          tags_of("O O I-LOC")};

TEST(Entities, Scores) {
  const EntityScore score = entity_score(kGoldTags, kPredictedTags);
  EXPECT_EQ(score.all.precision, 0.5);
  EXPECT_EQ(score.all.recall, 0.5);
  EXPECT_EQ(score.all.f1, 0.5);
  EXPECT_EQ(score.all.support, 4);
  EXPECT_NEAR(score.token_accuracy, 0.6363636363636364, 1e-12);
  EXPECT_EQ(score.repaired, 2);
  ASSERT_EQ(score.types.size(), 3u);
  EXPECT_EQ(score.types[0].first, "LOC");
  EXPECT_EQ(score.types[0].second.f1, 0);
  EXPECT_EQ(score.types[0].second.support, 2);
  EXPECT_EQ(score.types[1].second.precision, 0.5);
  EXPECT_EQ(score.types[1].second.recall, 1);
  EXPECT_NEAR(score.types[1].second.f1, 2.0 / 3, 1e-12);
  EXPECT_EQ(score.types[2].first, "PER");
  EXPECT_EQ(score.types[2].second.f1, 1);
}

TEST(Entities, TheSetOfMetricsIsThatOfTheSample) {
  const MetricSet metrics = entity_metrics(kGoldTags, kPredictedTags);
  EXPECT_EQ(metrics.examples, 3);
  EXPECT_THAT(metrics.names, ElementsAre("precision", "recall", "f1", "accuracy"));
  EXPECT_THAT(metrics.once(), ElementsAre(0.5, 0.5, 0.5, testing::DoubleNear(7.0 / 11, 1e-12)));
  // Twice the second sentence, which is found, once the third, where one of one is missed and one invented.
  EXPECT_THAT(metrics.values(std::vector<int32_t>{0, 2, 1}),
              ElementsAre(testing::DoubleNear(2.0 / 3, 1e-12), testing::DoubleNear(2.0 / 3, 1e-12),
                          testing::DoubleNear(2.0 / 3, 1e-12), testing::DoubleNear(7.0 / 11, 1e-12)));
}

TEST(Entities, RefusesOtherLengths) {
  EXPECT_THROW(entity_score(kGoldTags, {kPredictedTags[0], kPredictedTags[1]}), ShapeError);
  EXPECT_THROW(entity_metrics(kGoldTags, {kPredictedTags[0], kPredictedTags[1], tags_of("O O")}), ShapeError);
}

}  // namespace
}  // namespace roformer
