// roformer report from outside, and the reports of a training.
#include "tests/cli/program.h"

namespace roformer::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class Report : public Workshop {
 protected:
  std::string page(const Arguments& arguments) const {
    succeed(Arguments{"report", "--output", path("page.html")} + arguments);
    return content(path("page.html"));
  }
  void expect_refused(const Arguments& arguments, int exit_code, const std::string& said) const {
    const Outcome outcome = run(Arguments{"report", "--output", path("refused.html")} + arguments);
    EXPECT_EQ(outcome.exit_code, exit_code);
    EXPECT_THAT(outcome.error, HasSubstr(said));
    EXPECT_EQ(std::count(outcome.error.begin(), outcome.error.end(), '\n'), 1) << outcome.error;
    EXPECT_FALSE(exists(path("refused.html")));
  }
};

TEST_F(Report, ATrainingLeavesAPageAndEventFiles) {
  succeed(pretrain("a", {"--histograms-every", "6"}));
  EXPECT_THAT(content(path("a/report.html")), HasSubstr("Training of a"));
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(path("a/tensorboard"))) {
    ++files;
    const std::string events = content(entry.path());
    EXPECT_THAT(events, HasSubstr("validation/accuracy"));
    EXPECT_THAT(events, HasSubstr("gradients/roformer.embeddings.word_embeddings.weight"));
    EXPECT_THAT(events, HasSubstr("| learning-rate | "));
  }
  EXPECT_EQ(files, 1);
}

TEST_F(Report, RunsGroupsAndNames) {
  succeed(pretrain("a", {"--seed", "1"}));
  succeed(pretrain("b", {"--seed", "2"}));
  EXPECT_THAT(page({path("a")}), HasSubstr("<h1>Training of a</h1>"));
  const std::string both = page({"seeds=" + path("a") + "," + path("b"), path("a") + "/", "--title", "My <runs>"});
  EXPECT_THAT(both, HasSubstr("<h1>My &lt;runs&gt;</h1>"));
  EXPECT_THAT(both, HasSubstr("<th scope=\"row\">seeds</th><td>2</td>"));
  EXPECT_THAT(both, HasSubstr("<th scope=\"row\">a</th><td>1</td>"));
  EXPECT_THAT(both, HasSubstr("<th scope=\"row\">seed</th><td>1, 2</td><td>1</td>"));
}

TEST_F(Report, AFinishedRunAndItsAttention) {
  succeed(pretrain("a"));
  const std::string html = page({path("a"), "--text", "the king sees [MASK] garden", "--input", path("text.txt")});
  for (const char* part : {"Training", "Attention maps", "layer 1, head 1", "Attention scores by distance", "[MASK]"}) {
    EXPECT_THAT(html, HasSubstr(part));
  }
  std::filesystem::remove(path("a/log.jsonl"));
  EXPECT_THAT(page({path("a"), "--text", "the king"}), Not(HasSubstr("Learning rate")));
  EXPECT_THAT(page({path("a"), "--input", path("text.txt")}), Not(HasSubstr("Attention maps")));
  expect_refused({path("a")}, 1, "--text");
  std::string many;
  for (int i = 0; i < 200; ++i) many += "king ";
  expect_refused({path("a"), "--text", many}, 1, "at most 128");
}

TEST_F(Report, Decay) {
  const std::string plot = succeed({"report", "--decay", "--output", path("decay.svg")});
  EXPECT_THAT(plot, HasSubstr("relative distance"));
  EXPECT_TRUE(content(path("decay.svg")).starts_with("<svg"));
  EXPECT_THAT(page({"--decay", "--dim", "64", "--max-distance", "100", "--base", "500"}), HasSubstr("d = 64"));
  expect_refused({"--decay", "--dim", "7"}, 2, "--dim is 7");
  expect_refused({"--decay", path("a")}, 2, "takes no DIR");
  expect_refused({"--decay", "--text", "x"}, 2, "--text");
  const Outcome outcome = run({"report", "--decay", "--output", path("decay.pdf")});
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.error, HasSubstr(".svg"));
}

TEST_F(Report, WrongUse) {
  expect_refused({}, 2, "no directories given");
  expect_refused({path("nowhere")}, 1, "nowhere");
  expect_refused({"x=" + path("a") + ","}, 2, "NAME=DIR");
  expect_refused({"a", "b", "--text", "x"}, 2, "one model");
  std::filesystem::create_directory(path("damaged"));
  put(path("damaged/log.jsonl"), "{\n{\n");
  expect_refused({path("damaged")}, 1, "log.jsonl:1");
}

}  // namespace
}  // namespace roformer::test
