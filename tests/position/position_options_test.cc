// Which encodings have which options, and what those set.
#include "position/position_options.h"
#include "tests/position/all_position_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace roformer {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::ThrowsMessage;

PositionEncoding applied(const PositionOptions& options, std::string_view position) {
  PositionEncoding encoding = parse_position(position);
  options.apply(encoding);
  return encoding;
}

// All options that the encoding has.
PositionEncoding changed(std::string_view position) {
  PositionOptions options = all_position_options();
  options.restrict_to(parse_position(position));
  return applied(options, position);
}

TEST(PositionOptions, SetWhatAnEncodingHas) {
  EXPECT_EQ(changed("none"), PositionEncoding(NoPosition{}));
  EXPECT_EQ(changed("sinusoidal"), PositionEncoding(SinusoidalPosition{.scale = 2}));
  EXPECT_EQ(changed("learned"), PositionEncoding(LearnedPosition{.max_positions = 99}));
  EXPECT_EQ(changed("shaw"), PositionEncoding(ShawPosition{.clip = 5}));
  EXPECT_EQ(changed("nezha"), PositionEncoding(ShawPosition{.clip = 5, .sinusoidal = true}));
  EXPECT_EQ(changed("transformer-xl"), PositionEncoding(TransformerXlPosition{}));
  EXPECT_EQ(changed("t5"), PositionEncoding(T5Position{{.count = 10, .max_distance = 20}}));
  EXPECT_EQ(changed("tupe"), PositionEncoding(TupePosition{99, {.count = 10, .max_distance = 20}}));
  EXPECT_EQ(changed("deberta"), PositionEncoding(DebertaPosition{5}));
  EXPECT_EQ(changed("alibi"), PositionEncoding(AlibiPosition{}));
  EXPECT_EQ(changed("kerple"), PositionEncoding(KerplePosition{}));
  EXPECT_EQ(changed("rotary-learned"),
            PositionEncoding(RotaryPosition{.rotary = {.base = 500}, .share = 0.25, .learned = true}));
  EXPECT_EQ(changed("p-rope"),
            PositionEncoding(RotaryPosition{.rotary = {.base = 500, .proportion = 0.5}, .share = 0.25}));
  EXPECT_EQ(changed("xpos"),
            PositionEncoding(RotaryPosition{
                .rotary = {.base = 500, .proportion = 0.5}, .share = 0.25, .xpos = XPos{.scale_base = 64}}));
  EXPECT_EQ(changed("rotary-axial"), PositionEncoding(RotaryPosition{
                                         .rotary = {.base = 500, .proportion = 0.5, .grid_width = 8}, .share = 0.25}));
}

TEST(PositionOptions, NothingGivenChangesNothing) {
  for (const std::string_view name : position_names()) {
    EXPECT_EQ(applied({}, name), parse_position(name)) << name;
  }
  EXPECT_THAT(PositionOptions().given(), IsEmpty());
}

TEST(PositionOptions, KnowWhoseTheyAre) {
  EXPECT_THAT(encodings_with("relative_clip"), ElementsAre("shaw", "nezha", "deberta"));
  EXPECT_THAT(encodings_with("relative_buckets"), ElementsAre("t5", "tupe"));
  EXPECT_THAT(encodings_with("max_positions"), ElementsAre("learned", "learned-hierarchical", "tupe"));
  EXPECT_THAT(encodings_with("rotary_grid_width"), ElementsAre("rotary-axial"));
  EXPECT_THAT(encodings_with("rotary_proportion"),
              ElementsAre("rotary", "rotary-partial", "p-rope", "xpos", "rotary-axial"));
  for (const std::string_view name : all_position_options().given()) EXPECT_FALSE(encodings_with(name).empty()) << name;
}

TEST(PositionOptions, OfAnotherEncodingAreRefused) {
  EXPECT_THAT([] { applied({.relative_clip = 5}, "alibi"); },
              ThrowsMessage<UsageError>(
                  "relative_clip: position alibi has no such parameter; expected one of shaw, nezha, deberta"));
  EXPECT_THROW(applied({.rotary_proportion = 0.5}, "rotary-learned"), UsageError);
  EXPECT_THROW(applied({.rotary_fraction = 0.5}, "t5"), UsageError);
  EXPECT_THROW(applied({.xpos_scale_base = 64}, "rotary"), UsageError);
  EXPECT_THROW(applied({.max_positions = 64}, "sinusoidal"), UsageError);
}

TEST(PositionOptions, ANewFractionIsOneOfTheHeadSize) {
  PositionEncoding encoding = RotaryPosition{.rotary = {.dim = 64}};
  PositionOptions{.rotary_base = 500}.apply(encoding);
  EXPECT_EQ(std::get<RotaryPosition>(encoding).rotary.dim, 64);
  PositionOptions{.rotary_fraction = 0.5}.apply(encoding);
  EXPECT_EQ(std::get<RotaryPosition>(encoding).rotary.dim, 0);
}

}  // namespace
}  // namespace roformer
