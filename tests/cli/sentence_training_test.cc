// finetune and evaluate of sentence vectors, from a tiny model.
#include "tests/cli/program.h"

namespace roformer::test {
namespace {

class SentenceTraining : public Workshop {
 protected:
  SentenceTraining() {
    succeed(pretrain("start", {"--steps", "2"}));
    put(path("pairs.tsv"), pairs(40, 1));
    put(path("dev.tsv"), pairs(12, 2));
  }

  // Sentences that share their nouns belong together; the score is higher where more words are the same.
  static std::string pairs(int count, uint64_t seed) {
    Generator generator({seed, 5});
    const std::vector<std::string> nouns = {"king", "river", "garden", "ship", "child", "house", "tree", "stone"},
                                   verbs = {"sees", "finds", "loves", "builds", "follows", "carries"};
    const auto pick = [&](const std::vector<std::string>& words) { return words[generator.below(words.size())]; };
    std::string text = "sentence1\tsentence2\tscore\n";
    for (int i = 0; i < count; ++i) {
      const std::string subject = pick(nouns), object = pick(nouns), verb = pick(verbs);
      const int same = static_cast<int>(generator.below(4));
      text += "the " + subject + " " + verb + " the " + object + "\ta " + (same > 0 ? subject : pick(nouns)) + " " +
              (same > 1 ? verb : pick(verbs)) + " this " + (same > 2 ? object : pick(nouns)) + "\t" +
              std::to_string(same) + "\n";
    }
    return text;
  }
  Arguments finetune(const std::string& task, const std::string& output, const Arguments& more = {}) const {
    return Arguments{
               "finetune",     "--task",        task,       "--model",    path("start"),  "--train", path("pairs.tsv"),
               "--validation", path("dev.tsv"), "--output", path(output), "--batch-size", "8",       "--learning-rate",
               "1e-3",         "--threads",     "1"} +
           more;
  }
};

TEST_F(SentenceTraining, WritesADirectoryThatEmbedReads) {
  succeed(finetune("pair-similarity", "similar", {"--epochs", "2", "--max-length", "20"}));
  const Json modules = Json::parse(content(path("similar/modules.json")));
  ASSERT_EQ(modules.size(), 2u);
  EXPECT_EQ(modules[1]["type"], "sentence_transformers.models.Pooling");
  EXPECT_EQ(Json::parse(content(path("similar/1_Pooling/config.json")))["pooling_mode_mean_tokens"], true);
  EXPECT_EQ(Json::parse(content(path("similar/sentence_bert_config.json")))["max_seq_length"], 20);
  const auto line = json_lines(succeed({"embed", "--model", path("similar"), "--json", "the king sees a ship"})).at(0);
  EXPECT_EQ(line["embedding"].size(), 32u);

  // evaluate gives what the training measured, and predictions are what similarity gives.
  const Json measured = Json::parse(content(path("similar/evaluation.json")));
  const auto again = json_lines(succeed({"evaluate", "--model", path("similar"), "--data", path("dev.tsv"), "--json",
                                         "--predictions", path("predicted.jsonl"), "--threads", "1"}));
  EXPECT_EQ(keys(measured["metrics"]), (std::vector<std::string>{"kendall", "pearson", "spearman"}));
  for (const char* metric : {"pearson", "spearman"}) {
    EXPECT_NEAR(again.at(0)["metrics"][metric].get<double>(), measured["metrics"][metric].get<double>(), 1e-6);
  }
  const Json first = json_lines(content(path("predicted.jsonl"))).at(0);
  const auto pair =
      json_lines(succeed({"similarity", "--model", path("similar"), "--json",
                          first["texts"][0].get<std::string>() + "\t" + first["texts"][1].get<std::string>()}));
  EXPECT_NEAR(first["prediction"].get<double>(), pair.at(0)["similarity"].get<double>(), 1e-6);
}

TEST_F(SentenceTraining, LearnsWhichTextsBelongTogether) {
  const Arguments training = {"--epochs", "8", "--learning-rate", "3e-3", "--validation-fraction", "0.2"};
  Arguments arguments = without(without(finetune("contrastive", "close"), {"--validation"}), {"--learning-rate"});
  succeed(arguments + training);
  const auto events = log_of("close");
  std::vector<double> losses;
  for (const Json& event : events) {
    if (event["event"] == "validation") losses.push_back(event["loss"].get<double>());
  }
  ASSERT_GE(losses.size(), 2u);
  EXPECT_LT(*std::min_element(losses.begin(), losses.end()), losses.front());
  EXPECT_EQ(keys(Json::parse(content(path("close/evaluation.json")))["metrics"]),
            (std::vector<std::string>{"accuracy", "mrr"}));
}

TEST_F(SentenceTraining, ResumesToTheSameBytes) {
  const Arguments negatives = {"--hard-negatives", "2", "--refresh-negatives", "--symmetric", "--batch-tokens",   "60",
                               "--save-every",     "3", "--matryoshka",        "32,16:0.5,8", "--validate-every", "3"};
  succeed(finetune("contrastive", "whole", negatives + Arguments{"--steps", "12"}));
  const Arguments arguments = finetune("contrastive", "parts", negatives + Arguments{"--steps", "12"});
  Child child(arguments);
  child.wait_until([&] { return exists(path("parts/training/step-6/manifest.json")); });
  child.send(SIGKILL);
  child.wait();
  succeed(arguments);
  expect_same_run("whole", "parts", 12);
}

TEST_F(SentenceTraining, HasTheSameBytesAtAnyNumberOfThreads) {
  const Arguments more = {"--hard-negatives", "1", "--batch-tokens", "50", "--steps", "4"};
  succeed(finetune("contrastive", "one", more));
  succeed(without(finetune("contrastive", "three", more), {"--threads"}) + Arguments{"--threads", "3"});
  expect_same_run("one", "three", 4);
}

TEST_F(SentenceTraining, MakesARoFormerSim) {
  succeed(finetune("roformer-sim", "sim", {"--steps", "6", "--batch-tokens", "100"}));
  EXPECT_FALSE(exists(path("sim/modules.json")));
  const Json config = Json::parse(content(path("sim/config.json")));
  EXPECT_EQ(config["pooler_activation"], "linear");
  const auto vector = [&](const Arguments& more) {
    return json_lines(
        succeed(Arguments{"embed", "--model", path("sim"), "--json", "the king sees a ship"} + more))[0]["embedding"];
  };
  EXPECT_NE(vector({}), vector({"--pooling", "mean"}));  // the pooler's
  EXPECT_EQ(vector({}), vector({"--pooling", "pooler"}));
  succeed({"fill-mask", "--model", path("sim"), "the king [MASK] a ship"});
  succeed({"evaluate", "--model", path("sim"), "--data", path("dev.tsv")});
}

TEST_F(SentenceTraining, RefusesWhatCannotBeTrained) {
  const auto refused = [&](const Arguments& arguments, const std::vector<std::string>& parts, int code = 2) {
    expect_refused(arguments, code, parts);
  };
  refused(without(finetune("contrastive", "x"), {"--batch-size"}) + Arguments{"--batch-size", "1"},
          {"--batch-size is 1", "at least 2"});
  refused(finetune("pair-similarity", "x", {"--hard-negatives", "2"}), {"--hard-negatives", "not contrastive"});
  refused(finetune("contrastive", "x", {"--loss", "cosine"}), {"--loss", "not pair-similarity"});
  refused(finetune("contrastive", "x", {"--refresh-negatives"}), {"--refresh-negatives", "--hard-negatives"});
  refused(finetune("contrastive", "x", {"--matryoshka", "64"}), {"--matryoshka", "32"});
  refused(finetune("contrastive", "x", {"--label-smoothing", "0.1"}), {"--label-smoothing", "contrastive"});
  refused(finetune("pair-similarity", "x", {"--loss", "cosine", "--score-range", "0:2"}), {"--score-range", "0 to 3"});
  refused(finetune("pair-similarity", "x", {"--score-range", "0:5"}), {"--score-range", "cosent"});
  refused(finetune("roformer-sim", "x", {"--pooling", "mean"}), {"--pooling", "pooler"});
  put(path("same.tsv"), "text\ttext_pair\tlabel\na tree\tthe tree\t1\na ship\ta stone\t1\n");
  Arguments same = finetune("pair-similarity", "x");
  *std::ranges::find(same, path("pairs.tsv")) = path("same.tsv");
  refused(same, {"same.tsv", "all 2 pairs have the score 1"}, 1);
}

}  // namespace
}  // namespace roformer::test
