// The names of a grid's variants, and what they set.
#include "lab/grid_variant.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace roformer {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

TEST(GridVariants, AreNamedByWhatDiffers) {
  EXPECT_THAT(grid_variants({"rotary", "none"}, {}), ElementsAre("rotary", "none"));
  EXPECT_THAT(grid_variants({"rotary", "alibi"}, {"softmax"}), ElementsAre("rotary", "alibi"));
  EXPECT_THAT(grid_variants({"rotary", "none"}, {"softmax", "linear-elu"}),
              ElementsAre("rotary+softmax", "rotary+linear-elu", "none+softmax", "none+linear-elu"));
}

TEST(GridVariants, KnowThatOnlyARotationHasAPlace) {
  EXPECT_THAT(grid_variants({"rotary", "learned"}, {"linear-favor", "linear-favor-before"}),
              ElementsAre("rotary+linear-favor", "rotary+linear-favor-before", "learned+linear-favor"));
  EXPECT_THAT(grid_variants({"none"}, {"softmax", "linear-favor-before"}),
              ElementsAre("none+softmax", "none+linear-favor-before"));
}

TEST(GridVariants, RefuseWhatDoesNotGoTogether) {
  EXPECT_THAT(
      [] {
        grid_variants({"t5"}, {"softmax", "linear-elu"});
      },
      ThrowsMessage<UsageError>(HasSubstr("positions t5 acts on scores, which attention linear-elu")));
  EXPECT_THAT([] { grid_variants({"rotary", "rotary"}, {}); }, ThrowsMessage<UsageError>(HasSubstr("rotary twice")));
  EXPECT_THAT([] { grid_variants({"fourier"}, {}); }, ThrowsMessage<UsageError>(HasSubstr("fourier")));
  for (const char* name : {"rotary+", "rotary+linear", "rotary+softmax-before", "../x", "rotary+softmax+softmax"}) {
    EXPECT_THROW(GridVariant::parse(name), UsageError) << name;
  }
}

TEST(GridVariants, SetTheShape) {
  ShapeOptions shape;
  shape.favor_features = 8;
  shape.favor_redraw = 5;
  GridVariant::parse("none+linear-favor-before").apply(shape);
  EXPECT_EQ(shape.position, "none");
  EXPECT_THAT(shape.attention, ElementsAre("linear-favor"));
  EXPECT_EQ(shape.attention_rotation, "before");
  EXPECT_EQ(shape.favor_features, 8);
  GridVariant::parse("rotary+softmax").apply(shape);  // to which no option of linear attention belongs
  EXPECT_THAT(shape.attention, ElementsAre("softmax"));
  EXPECT_FALSE(shape.attention_rotation || shape.favor_features || shape.favor_redraw);
}

TEST(GridVariants, LeaveOutTheParametersOfOtherEncodings) {
  ShapeOptions shape;
  shape.position_options = {.rotary_base = 500, .relative_buckets = 8};
  GridVariant::parse("rotary").apply(shape);
  EXPECT_EQ(shape.position_options, PositionOptions{.rotary_base = 500});
  GridVariant::parse("t5").apply(shape);
  EXPECT_EQ(shape.position_options, PositionOptions());
}

}  // namespace
}  // namespace roformer
