// roformer rope from outside, and docs/rope.md, which shows what it draws and prints.
#include "tests/cli/program.h"

namespace roformer::test {
namespace {

using ::testing::HasSubstr;

const std::string kDocs = ROFORMER_SOURCE_DIR "/docs/";

TEST(Rope, ThePageShowsWhatTheProgramDraws) {
  const TempDirectory directory;
  const std::string page = content(kDocs + "rope.md");
  for (const std::string figure : {"rotation", "clocks", "decay", "scores", "scaling"}) {
    succeed({"rope", figure, "--output", directory / (figure + ".svg")});
    EXPECT_TRUE(content(directory / (figure + ".svg")) == content(kDocs + "rope/" + figure + ".svg"))
        << figure << " has changed: look at it, then tools/rope_figures.sh";
    EXPECT_THAT(page, HasSubstr("](rope/" + figure + ".svg)"));
    EXPECT_THAT(page, HasSubstr("`roformer rope " + figure + " --output docs/rope/" + figure + ".svg`"));
  }
}

TEST(Rope, ThePageShowsWhatTheProgramPrints) {
  const std::string page = content(kDocs + "rope.md");
  for (const Arguments& arguments :
       {Arguments{"numbers", "--vector", "1,2,3,4", "--position", "3"}, Arguments{"precision"}}) {
    std::string expected = "    $ roformer rope";
    for (const std::string& argument : arguments) expected += " " + argument;
    const std::string output = succeed(Arguments{"rope"} + arguments);
    for (size_t begin = 0; begin < output.size(); begin = output.find('\n', begin) + 1) {
      expected += "\n    " + output.substr(begin, output.find('\n', begin) - begin);
    }
    EXPECT_THAT(page, HasSubstr(expected + "\n"));
  }
}

TEST(Rope, CurvesAreShownInTheTerminal) {
  EXPECT_THAT(succeed({"rope", "decay", "--dim", "64", "--base", "500"}), HasSubstr("d = 64, base 500"));
  EXPECT_THAT(succeed({"rope", "numbers", "--vector", "1,-2.5e3", "--layout", "half"}), HasSubstr("1, -2500"));
}

TEST(Rope, WrongUse) {
  const TempDirectory directory;
  const std::string file = directory / "refused.svg";
  expect_refused({"rope"}, 2, {"WHAT is missing"});
  expect_refused({"rope", "clock", "--output", file}, 2, {"\"clock\"", "expected rotation, clocks, decay"});
  expect_refused({"rope", "rotation"}, 2, {"--output"});
  expect_refused({"rope", "clocks", "--dim", "7", "--output", file}, 2, {"--dim is 7"});
  expect_refused({"rope", "scores", "--dim", "514", "--output", file}, 2, {"--dim", "512"});
  expect_refused({"rope", "decay", "--base", "1", "--output", file}, 2, {"--base"});
  expect_refused({"rope", "scaling", "--factor", "1", "--output", file}, 2, {"--factor"});
  expect_refused({"rope", "numbers", "--output", file}, 2, {"writes no file"});
  expect_refused({"rope", "numbers", "--vector", "1,2,3"}, 2, {"--vector has 3 numbers", "even"});
  for (const char* word : {"x", "1x", "nan", "inf", "1e999", "2e100"}) {
    expect_refused({"rope", "numbers", "--vector", std::string("1,") + word}, 2, {"--vector", word});
  }
  expect_refused({"rope", "numbers", "--position", "-1"}, 2, {"--position"});
  expect_refused({"rope", "numbers", "--layout", "neox"}, 2, {"--layout"});
  expect_refused({"rope", "rotation", "--output", directory / "none/x.svg"}, 1, {"none"});
  EXPECT_FALSE(exists(file));
}

}  // namespace
}  // namespace roformer::test
