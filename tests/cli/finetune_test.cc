// finetune, evaluate and their reports from outside, on a tiny model.
#include "tests/cli/program.h"

namespace roformer::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class FinetuneProgram : public Workshop {
 protected:
  FinetuneProgram() {
    succeed(pretrain("start", {"--steps", "2"}));
    put(path("train.tsv"), labeled(64, 1));
    put(path("dev.tsv"), labeled(24, 2));
  }

  // What somebody does is good or bad.
  static std::string labeled(int count, uint64_t seed) {
    Generator generator({seed, 9});
    const std::vector<std::string> nouns = {"king", "river", "garden", "ship"}, good = {"loves", "builds", "finds"},
                                   bad = {"carries", "follows", "sees"};
    const auto pick = [&](const std::vector<std::string>& words) { return words[generator.below(words.size())]; };
    std::string text = "text\tlabel\n";
    for (int i = 0; i < count; ++i) {
      text += "the " + pick(nouns) + " " + pick(i % 2 == 0 ? good : bad) + " the " + pick(nouns) +
              (i % 2 == 0 ? "\tgood\n" : "\tbad\n");
    }
    return text;
  }
  // `more` overrides the settings here.
  Arguments finetune(const std::string& output, const Arguments& more = {}) const {
    std::vector<std::pair<std::string, std::string>> settings = {
        {"--model", path("start")},     {"--task", "classification"},
        {"--train", path("train.tsv")}, {"--validation", path("dev.tsv")},
        {"--max-length", "16"},         {"--threads", "1"},
        {"--learning-rate", "5e-3"},    {"--epochs", "3"}};
    const auto given = [&](const std::string& name) { return std::ranges::find(more, name) != more.end(); };
    Arguments result = {"finetune", "--output", path(output)};
    for (const auto& [name, value] : settings) {
      const bool other =
          (name == "--validation" && given("--folds")) || (name == "--learning-rate" && given("--learning-rates"));
      if (!given(name) && !other) result = result + Arguments{name, value};
    }
    return result + more;
  }
  void expect_same_result(const std::string& a, const std::string& b) const {
    for (const char* name : {"/model.safetensors", "/evaluation.json", "/predictions.jsonl"}) {
      EXPECT_TRUE(content(path(a) + name) == content(path(b) + name)) << name << " of " << a << " and " << b;
    }
  }
};

TEST_F(FinetuneProgram, OneRun) {
  EXPECT_THAT(succeed(finetune("run")), AllOf(HasSubstr("24 validation examples"), HasSubstr("95 % interval")));
  EXPECT_THAT(succeed(finetune("run")), HasSubstr("already finished"));
  const Json measured = Json::parse(content(path("run/evaluation.json")));
  EXPECT_EQ(json_lines(succeed(finetune("run", {"--json"}))).at(0), measured);
  const Json again =
      json_lines(succeed({"evaluate", "--model", path("run"), "--data", path("dev.tsv"), "--json"})).at(0);
  EXPECT_EQ(again.at("metrics"), measured.at("metrics"));
  EXPECT_EQ(again.at("interval95"), measured.at("interval95"));
  EXPECT_THAT(content(path("run/report.html")), AllOf(HasSubstr("Confusion matrix"), HasSubstr("Validation accuracy"),
                                                      Not(HasSubstr("nats per predicted token"))));
  succeed({"report", path("run"), "--output", path("page.html")});
  EXPECT_THAT(content(path("page.html")), AllOf(HasSubstr("Confusion matrix"), HasSubstr("Learning rate")));
}

TEST_F(FinetuneProgram, AGridAndItsBest) {
  const Arguments grid = finetune("grid", {"--seeds", "2", "--learning-rates", "1e-4,5e-3"});
  const std::string table = succeed(grid);
  EXPECT_THAT(table, AllOf(HasSubstr("95 % interval over seeds"), HasSubstr("0.005"), HasSubstr("The best run is ")));
  EXPECT_EQ(succeed(grid), table);
  const Json json = json_lines(succeed(grid + Arguments{"--json"})).at(0);
  EXPECT_EQ(json.at("runs").size(), 4u);
  EXPECT_EQ(json, Json::parse(content(path("grid/results.json"))));
  // The directory is a model, which knows its task.
  const std::string best = "grid/runs/" + json.at("best").at("run").get<std::string>();
  expect_same_result("grid", best);
  EXPECT_THAT(succeed({"classify", "--model", path("grid"), "the king loves the ship"}), HasSubstr("good"));
  EXPECT_THAT(succeed({"evaluate", "--model", path("grid"), "--data", path("dev.tsv")}), HasSubstr("24 examples"));
  succeed({"report", path("grid"), "--output", path("page.html"), "--title", "Mine"});
  EXPECT_THAT(content(path("page.html")), AllOf(HasSubstr("<h1>Mine</h1>"), HasSubstr("accuracy of each seed")));
  succeed({"report", "rates=" + path("grid"), path(best), "--output", path("page.html")});
  EXPECT_THAT(content(path("page.html")), HasSubstr("rates"));

  expect_refused(finetune("grid", {"--learning-rate", "1"}), 1, {"holds a model"});
  expect_refused(finetune("new", {"--jobs", "2"}), 2, {"--jobs is for several runs, expected --seeds"});
  expect_refused(finetune("start", {"--seeds", "2"}), 1, {"use another --output"});
  expect_refused(grid + Arguments{"--learning-rate", "1"}, 2, {"either --learning-rate or --learning-rates"});
}

TEST_F(FinetuneProgram, TwoModelsAreCompared) {
  succeed(finetune("a", {"--epochs", "1", "--learning-rate", "1e-6"}));
  succeed(finetune("b"));
  const std::string text = succeed({"evaluate", "--compare", path("a"), path("b"), "--data", path("dev.tsv")});
  EXPECT_THAT(text, AllOf(HasSubstr("24 examples; A = "), HasSubstr("B - A"), HasSubstr("McNemar's test: ")));
  EXPECT_EQ(succeed({"evaluate", "--compare", path("a"), path("b")}), text) << "of the saved predictions";
  const Json json =
      json_lines(succeed({"evaluate", "--compare", path("a"), path("b"), "--json", "--data", path("dev.tsv")})).at(0);
  EXPECT_EQ(json.at("n"), 24);
  const double a = Json::parse(content(path("a/evaluation.json"))).at("metrics").at("accuracy"),
               b = Json::parse(content(path("b/evaluation.json"))).at("metrics").at("accuracy");
  EXPECT_EQ(json.at("metrics").at("accuracy"), Json({a, b}));
  EXPECT_EQ(json.at("difference").at("accuracy").get<double>(), b - a);
  EXPECT_EQ(json.at("mcnemar").at("n"), 24);
  expect_refused({"evaluate", "--compare", path("a"), "--data", path("dev.tsv")}, 2, {"--compare has 1 models"});
  expect_refused({"evaluate", "--compare", path("a"), path("start"), "--data", path("dev.tsv")}, 1, {"head"});
  expect_refused({"evaluate", "--compare", path("a"), path("start")}, 1, {path("start"), "expected --data"});
  expect_refused({"evaluate", "--compare", path("start"), path("a"), "--data", path("dev.tsv")}, 2,
                 {"expected --task"});
  expect_refused({"evaluate", "--model", path("a"), "--compare", path("a"), path("b")}, 2,
                 {"either --model or --compare"});
  expect_refused({"evaluate", "--data", path("dev.tsv")}, 2, {"--model is required"});
  expect_refused({"evaluate", "--model", path("a")}, 2, {"--data is required"});
}

TEST_F(FinetuneProgram, KilledAtAnyMomentTheResultIsTheSame) {
  if (kSanitized) GTEST_SKIP() << "the moments are chosen for a fast program";
  const Arguments more = {"--epochs", "20", "--save-every", "5", "--validate-every", "10"};
  const auto begin = std::chrono::steady_clock::now();
  succeed(finetune("whole", more));
  const std::chrono::duration<double> whole = std::chrono::steady_clock::now() - begin;
  Generator generator({7, 0});
  for (int kills = 0;; ++kills) {
    Child child(finetune("killed", more));
    if (kills < 8) {
      std::this_thread::sleep_for(whole * (0.2 + 0.7 * generator.uniform()));
      child.send(SIGKILL);
    }
    const Outcome outcome = child.wait();
    if (outcome.exit_code == 0 && kills >= 8) break;
    ASSERT_THAT(outcome.exit_code, ::testing::AnyOf(0, 128 + SIGKILL)) << outcome.error;
  }
  expect_same_result("whole", "killed");
}

TEST_F(FinetuneProgram, AnInterruptedGridGoesOn) {
  const Arguments more = {"--seeds", "3", "--epochs", "15"};
  succeed(finetune("whole", more));
  Child child(finetune("parts", more));
  ASSERT_TRUE(child.wait_until([&] { return exists(path("parts/runs/seed-2/model.safetensors")); }));
  child.send(SIGINT);
  const Outcome outcome = child.wait();
  EXPECT_EQ(outcome.exit_code, 130) << outcome.error;
  EXPECT_FALSE(exists(path("parts/results.json")));
  EXPECT_THAT(succeed(finetune("parts", more)), HasSubstr("The best run is "));
  EXPECT_EQ(content(path("parts/results.json")), content(path("whole/results.json")));
  expect_same_result("whole", "parts");
}

TEST_F(FinetuneProgram, AFullDiskIsSaidAndTheSameCommandGoesOn) {
  succeed(finetune("whole"));
  const Outcome outcome = run(finetune("full"), {.input = {}, .file_limit = 30'000, .environment = {}});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.error, HasSubstr("File too large"));
  succeed(finetune("full"));
  expect_same_result("whole", "full");
}

TEST_F(FinetuneProgram, WrongFilesAndSettings) {
  const auto expect_no_run = [&](const Arguments& more, int exit_code, const std::vector<std::string>& parts) {
    expect_refused(finetune("out", more), exit_code, parts);
    EXPECT_FALSE(exists(path("out"))) << more.back();
  };
  const auto file = [&](const std::string& text) {
    put(path("bad.tsv"), text);
    return path("bad.tsv");
  };
  expect_no_run({"--train", file("txt\tlbl\nfine\tgood\ncold\tbad\n")}, 1, {"bad.tsv", "--label-column"});
  expect_no_run({"--text-column", "nothere"}, 1, {"train.tsv", "no column \"nothere\"", "--text-column"});
  expect_no_run({"--text-column", "5"}, 1, {"--text-column is 5, expected a column from 1 to 2"});
  expect_no_run({"--train", file("text\tlabel\na\tgood\nb\tgood\n")}, 1, {"label \"good\", expected at least two"});
  expect_no_run({"--train", file("text\na\nb\n")}, 1, {"no column for the label"});
  expect_no_run({"--validation", file("text\tlabel\n")}, 1, {"holds no example"});
  expect_no_run({"--metric", "acuracy"}, 2, {"--metric is \"acuracy\"", "loss, accuracy, macro_f1"});
  expect_no_run({"--class-weights", "great=2"}, 2, {"no label \"great\", expected one of bad, good"});
  expect_no_run({"--task", "regression", "--train", file("text\tlabel\na\t1\nb\tNaN\n")}, 1, {"bad.tsv:3", "finite"});
  expect_no_run({"--folds", "3", "--fold", "4"}, 2, {"--fold is 4, expected 1 to 3"});
  succeed(pretrain("learned", {"--position", "learned"}));
  expect_no_run({"--model", path("learned"), "--max-length", "1000"}, 2, {"--max-length 1000 is more than 512"});
  succeed(pretrain("decoder", {"--objective", "clm"}));
  expect_no_run({"--model", path("decoder")}, 2, {"--model", "is a decoder"});

  succeed(finetune("run"));
  const auto evaluate = [&](const Arguments& more) { return Arguments{"evaluate", "--model", path("run")} + more; };
  expect_refused(evaluate({"--data", file("text\na\nb\n")}), 1, {"bad.tsv", "no column for the label"});
  expect_refused(evaluate({"--task", "regression", "--data", file("text\tlabel\na\t1\n")}), 1,
                 {"does not fit regression"});
  expect_refused(evaluate({"--task", "question-answering", "--data",
                           [&] {
                             put(path("qa.jsonl"), R"({"question":"q","context":"a b","answers":{"text":["a"]}})");
                             return path("qa.jsonl");
                           }()}),
                 1, {"expected a question-answering head"});
  const Outcome unseen = run(evaluate({"--data", file("text\tlabel\nthe king\tnew\nthe ship\tgood\n")}));
  EXPECT_EQ(unseen.exit_code, 0);
  EXPECT_THAT(unseen.error, HasSubstr("1 label that the model does not have counts as wrong: new"));
  std::string long_text;
  while (long_text.size() < 10'000'000) long_text += "the king sees a ship ";
  const Outcome big = run(evaluate({"--data", file("text\tlabel\n" + long_text + "\tgood\nking\tbad\n")}));
  EXPECT_EQ(big.exit_code, 0);
  EXPECT_THAT(big.error, HasSubstr("1 example longer than the maximum length and cut"));
}

}  // namespace
}  // namespace roformer::test
