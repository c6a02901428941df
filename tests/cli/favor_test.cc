// roformer favor from outside.
#include "tests/cli/program.h"

namespace roformer::test {
namespace {

using ::testing::HasSubstr;

const Arguments kFew{"favor", "--features", "8,64", "--tokens", "16", "--head-size", "8", "--draws", "2"};

TEST(Favor, MeasuresAndDraws) {
  const TempDirectory directory;
  const auto lines =
      json_lines(succeed(kFew + Arguments{"--deviations", "0.25,1", "--json", "--output", directory / "favor.svg"}));
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0]["deviation"].get<double>(), 0.25);
  EXPECT_LT(lines[0]["slope"].get<double>(), 0);
  EXPECT_EQ(lines[0]["points"][1]["features"].get<int>(), 64);
  EXPECT_THAT(content(directory / "favor.svg"), HasSubstr("1/√features"));
  EXPECT_THAT(succeed(kFew), HasSubstr("deviation 0.5: error "));
}

TEST(Favor, RefusesWhatHasNoSlope) {
  expect_refused({"favor", "--features", "8"}, 2, {"--features", "two"});
  expect_refused({"favor", "--features", "8,0"}, 2, {"--features", "0"});
  for (const char* word : {"x", "0", "-1", "nan", "1e9"}) {
    expect_refused({"favor", "--deviations", word}, 2, {"--deviations", word});
  }
}

}  // namespace
}  // namespace roformer::test
