// train-translator as scripts see it: two text files in, a directory out that the other commands use.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/cli/program.h"

namespace roformer::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class TrainTranslatorCommand : public ::testing::Test {
 protected:
  void SetUp() override {
    std::ofstream source(directory_ / "train.en"), target(directory_ / "train.de");
    for (int i = 0; i < 200; ++i) {
      source << "the number " << i << (i % 2 == 0 ? " is even\n" : " is odd\n");
      target << "die Zahl " << i << (i % 2 == 0 ? " ist gerade\n" : " ist ungerade\n");
    }
  }
  Arguments command(const Arguments& more = {}) const {
    return Arguments{"train-translator",
                     "--source",
                     directory_ / "train.en",
                     "--target",
                     directory_ / "train.de",
                     "--output",
                     directory_ / "model",
                     "--threads",
                     "1",
                     "--vocab-size",
                     "330",
                     "--hidden-size",
                     "16",
                     "--layers",
                     "1",
                     "--heads",
                     "2",
                     "--batch-tokens",
                     "300",
                     "--steps",
                     "6",
                     "--validate-every",
                     "3"} +
           more;
  }

  TempDirectory directory_;
};

TEST_F(TrainTranslatorCommand, MakesATranslator) {
  const Outcome first = run(command());
  ASSERT_EQ(first.exit_code, 0) << first.error;
  EXPECT_THAT(first.output, AllOf(HasSubstr("model: step 6; published are the weights of step"), HasSubstr("bleu")));
  EXPECT_THAT(first.error, AllOf(HasSubstr("200 pairs"), HasSubstr("4 pairs, held out"), HasSubstr("  translation  ")));
  EXPECT_THAT(succeed(command()), HasSubstr("already finished after step 6"));

  const std::string model = directory_ / "model";
  EXPECT_THAT(json_lines(succeed({"translate", "--model", model, "--json", "the number 3 is odd", "x"})), SizeIs(2));
  EXPECT_THAT(succeed({"inspect", "--model", model}), HasSubstr("roformer_translator"));
  EXPECT_TRUE(std::filesystem::exists(directory_ / "model/report.html"));
  EXPECT_THAT(run(command({"--seed", "2"})).error, HasSubstr("seed was 1, now 2"));

  const Outcome further =
      run({"train-translator", "--source", directory_ / "train.en", "--target", directory_ / "train.de", "--init-from",
           model, "--output", directory_ / "further", "--steps", "2", "--threads", "1"});
  EXPECT_EQ(further.exit_code, 0) << further.error;
}

TEST_F(TrainTranslatorCommand, BadInputIsNamed) {
  std::ofstream(directory_ / "short.de") << "eins\nzwei\n";
  const auto fails = [&](const Arguments& arguments, int code) {
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.exit_code, code) << outcome.error;
    EXPECT_FALSE(std::filesystem::exists(directory_ / "model")) << "left behind";
    return outcome.error;
  };
  Arguments other = command();
  other[4] = directory_ / "short.de";
  EXPECT_THAT(fails(other, 1), AllOf(HasSubstr("train.en has 200 lines"), HasSubstr("short.de has 2 lines")));
  other[4] = other[2];
  EXPECT_THAT(fails(other, 1), HasSubstr("are the same text"));
  EXPECT_THAT(fails(command({"--form", "roformer", "--position", "alibi"}), 2), HasSubstr("alibi"));
  EXPECT_THAT(fails(command({"--form", "marian", "--norm", "pre"}), 2), HasSubstr("post-norm"));
  EXPECT_THAT(fails(command({"--schedule", "square"}), 2), HasSubstr("square"));
  EXPECT_THAT(fails(command({"--epochs", "2"}), 2), HasSubstr("--steps and --epochs"));
}

}  // namespace
}  // namespace roformer::test
