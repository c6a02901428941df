// Training from what one has: a model, a finished run, a config; and the evaluation of language models.
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "formats/safetensors.h"
#include "formats/state_dict.h"
#include "tests/cli/program.h"

namespace roformer::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class FurtherTraining : public Workshop {
 protected:
  // Without a shape of its own.
  Arguments from(const std::string& output, const Arguments& more) const {
    return without(pretrain(output, more), {"--hidden-size", "--layers", "--heads"});
  }
  Arguments further(const std::string& output, const std::string& model, const Arguments& more = {}) const {
    return without(from(output, Arguments{"--init-from", path(model)} + more), {"--tokenizer"});
  }
  Json evaluated(const std::string& model, const Arguments& more) const {
    return json_lines(succeed(Arguments{"evaluate", "--json", "--model", path(model)} + more)).at(0);
  }
  double validation_loss(const std::string& output, int64_t step) const {
    for (const Json& event : log_of(output)) {
      if (event["event"] == "validation" && event["step"] == step) return event["loss"].get<double>();
    }
    ADD_FAILURE() << output << " was not validated at step " << step;
    return 0;
  }
  void expect_same_end(const std::string& a, const std::string& b, int64_t steps) const {
    for (const char* name : {"model.safetensors", "optimizer.safetensors", "state.json"}) {
      const std::string file = "/training/step-" + std::to_string(steps) + "/" + name;
      EXPECT_TRUE(content(path(a) + file) == content(path(b) + file)) << file;
    }
    EXPECT_TRUE(content(path(a) + "/model.safetensors") == content(path(b) + "/model.safetensors"));
    EXPECT_EQ(log_of(a).back(), log_of(b).back());
  }
};

// At a rate of 0 no validation is better than the first.
TEST_F(FurtherTraining, WithoutProgressARunIsFinishedEarly) {
  const Arguments still = {"--learning-rate",  "0", "--steps",    "9", "--best", "loss",
                           "--validate-every", "2", "--patience", "2"};
  EXPECT_THAT(succeed(pretrain("m", still)), HasSubstr("step 6, validation loss "));
  EXPECT_THAT(log_of("m").back()["step"].dump(), "6");
  EXPECT_TRUE(content(path("m/model.safetensors")) == content(path("m/training/best/model.safetensors")));
  EXPECT_THAT(succeed(pretrain("m", still)), HasSubstr("already finished after step 6"));
}

TEST_F(FurtherTraining, WhatCannotBeTrainedLeavesNoDirectory) {
  expect_refused(pretrain("m", {"--freeze", "99"}), 2,
                 {"--freeze is \"99\", expected embeddings, encoder, or a number"});
  expect_refused(pretrain("m", {"--lora-rank", "2", "--fgm-epsilon", "1"}), 2, {"--fgm-epsilon moves"});
  EXPECT_FALSE(exists(path("m")));
  succeed(pretrain("m", {"--lora-rank", "2", "--steps", "2", "--gradient-checkpointing"}));
}

TEST_F(FurtherTraining, MoreStepsGiveWhatOneRunWouldHave) {
  for (const char* kind : {"constant", "inverse-sqrt"}) {
    const std::string one = std::string("one_") + kind, two = std::string("two_") + kind;
    const Arguments schedule = {"--schedule", kind, "--warmup", "3", "--dropout", "0.1"};
    succeed(pretrain(one, schedule + Arguments{"--steps", "24"}));
    for (const char* steps : {"6", "17", "24"}) succeed(pretrain(two, schedule + Arguments{"--steps", steps}));
    expect_same_end(one, two, 24);
    EXPECT_THAT(succeed(pretrain(two, schedule + Arguments{"--steps", "24"})), HasSubstr("already finished"));
    expect_refused(pretrain(two, schedule + Arguments{"--steps", "20"}), 2, {"steps was 24, now 20", "done already"});
  }
  // As a number of epochs.
  const Arguments half = {"--epochs", "0.5", "--warmup", "0", "--schedule", "constant"};
  const Arguments whole = {"--epochs", "1", "--warmup", "0", "--schedule", "constant"};
  succeed(without(pretrain("epoch", whole), {"--steps"}));
  succeed(without(pretrain("halves", half), {"--steps"}));
  succeed(without(pretrain("halves", whole), {"--steps"}));
  expect_same_end("epoch", "halves", log_of("epoch").back()["step"].get<int64_t>());
}

TEST_F(FurtherTraining, ASchedulesEndIsMovedOnlyWhenSaid) {
  succeed(pretrain("a", {"--steps", "20"}));
  const std::string weights = content(path("a/model.safetensors"));
  expect_refused(pretrain("a", {"--steps", "40"}), 2,
                 {"steps was 20, now 40", "linear", "--extend", "5.56e-05 at step 20", "at step 21"});
  EXPECT_THAT(run(pretrain("a", {"--steps", "40"})).error, Not(HasSubstr("warmup")));
  EXPECT_TRUE(content(path("a/model.safetensors")) == weights);

  const Arguments extended = {"--steps", "400", "--extend", "--save-every", "20"};
  std::filesystem::copy(path("a"), path("b"), std::filesystem::copy_options::recursive);
  const Outcome alone = run(pretrain("a", extended));
  EXPECT_EQ(alone.exit_code, 0) << alone.error;
  EXPECT_THAT(alone.error, HasSubstr("the learning rate was 5.56e-05 at step 20 and is 0.000955 at step 21: the linear "
                                     "schedule now ends at step 400"));
  Child killed(pretrain("b", extended));
  ASSERT_TRUE(killed.wait_until([&] { return exists(path("b/training/step-60")); }));
  killed.send(SIGKILL);
  killed.wait();
  const Outcome rest = run(pretrain("b", extended));
  EXPECT_EQ(rest.exit_code, 0) << rest.error;
  EXPECT_THAT(rest.error, Not(HasSubstr("now ends")));
  expect_same_end("a", "b", 400);
  EXPECT_THAT(succeed(pretrain("a", extended)), HasSubstr("already finished after step 400"));
  EXPECT_THAT(succeed(pretrain("a", {"--steps", "400"})), HasSubstr("already finished after step 400"));
}

TEST_F(FurtherTraining, TheGainShows) {
  succeed(pretrain("first", {"--steps", "30", "--learning-rate", "0.01"}));
  const Outcome outcome = run(further("second", "first", {"--validation-data", path("text.txt")}));
  EXPECT_EQ(outcome.exit_code, 0) << outcome.error;
  EXPECT_THAT(outcome.error, HasSubstr("\n12 steps of 8 sequences of 32 tokens; learning rate up to 5e-05, 1 step of "
                                       "warm-up, linear schedule\n"));
  EXPECT_THAT(outcome.error, HasSubstr("step      0  validation loss"));
  EXPECT_EQ(log_of("second").front()["step"], 0);
  EXPECT_NEAR(evaluated("first", {"--data", path("text.txt")})["metrics"]["loss"].get<double>(),
              validation_loss("second", 0), 1e-4);
  EXPECT_NEAR(evaluated("second", {"--data", path("text.txt")})["metrics"]["loss"].get<double>(),
              validation_loss("second", 12), 1e-4);

  succeed(further("none", "first", {"--steps", "0"}));
  EXPECT_EQ(log_of("none").size(), 1u);
  EXPECT_THAT(succeed({"fill-mask", "--model", path("none"), "the [MASK] king"}), HasSubstr("0."));
  EXPECT_THAT(succeed(further("none", "first", {"--steps", "0"})), HasSubstr("already finished after step 0"));
  succeed(further("none", "first"));
  succeed(further("one", "first"));
  expect_same_end("one", "none", 12);
}

TEST_F(FurtherTraining, WithoutValidation) {
  const Outcome outcome = run(pretrain("a", {"--validation-fraction", "0"}));
  EXPECT_EQ(outcome.exit_code, 0) << outcome.error;
  EXPECT_EQ(outcome.output, path("a") + ": step 12\n");
  EXPECT_THAT(outcome.error, HasSubstr("; no validation. "));
  EXPECT_THAT(outcome.error, Not(HasSubstr("baseline")));
  for (const Json& event : log_of("a")) EXPECT_EQ(event["event"], "train");
  EXPECT_TRUE(exists(path("a/report.html")));
  Arguments grid = pretrain("g", {"--validation-fraction", "0", "--positions", "rotary", "--seeds", "1"});
  grid[0] = "compare";
  expect_refused(grid, 2, {"--validation-fraction is 0"});
}

TEST_F(FurtherTraining, OtherPositions) {
  succeed(pretrain("first", {"--position", "learned", "--learning-rate", "0.01"}));
  const Outcome outcome = run(further("rotary", "first", {"--position", "rotary", "--dropout", "0.2"}));
  EXPECT_EQ(outcome.exit_code, 0) << outcome.error;
  EXPECT_THAT(outcome.error, HasSubstr("first/model.safetensors: learned positions replaced by rotary; dropped: "
                                       "roformer.embeddings.position_embeddings.weight (16384 parameters); start anew: "
                                       "nothing\n"));
  const Json config = Json::parse(content(path("rotary/config.json")));
  EXPECT_EQ(config["model_type"], "roformer");
  EXPECT_EQ(config["hidden_dropout_prob"], 0.2);
  EXPECT_THAT(succeed({"fill-mask", "--model", path("rotary"), "the [MASK] king"}), HasSubstr("0."));
  EXPECT_THAT(succeed(further("rotary", "first", {"--position", "rotary", "--dropout", "0.2"})),
              HasSubstr("already finished"));

  const Outcome based = run(further("based", "rotary", {"--position", "rotary", "--rotary-base", "500"}));
  EXPECT_THAT(based.error, HasSubstr("rotary positions have other settings\n"));
  EXPECT_EQ(Json::parse(content(path("based/config.json")))["rope_theta"], 500);
  // What is not said stays as it was trained.
  succeed(further("partial", "based", {"--position", "rotary-partial"}));
  EXPECT_EQ(Json::parse(content(path("partial/config.json")))["rope_theta"], 500);
  const Outcome biases = run(further("t5", "based", {"--position", "t5", "--relative-buckets", "8"}));
  EXPECT_THAT(biases.error, HasSubstr("start anew: roformer.encoder.relative_attention_bias.weight (16 parameters)\n"));
  EXPECT_THAT(succeed({"fill-mask", "--model", path("t5"), "the [MASK] king"}), HasSubstr("0."));

  expect_refused(further("x", "first", {"--intermediate-size", "48"}), 2,
                 {"--init-from", "positions and dropout", "--intermediate-size"});
  expect_refused(further("x", "first", {"--attention", "linear-elu"}), 2, {"leave out --attention"});
  expect_refused(further("x", "first", {"--position", "rotry"}), 2, {"--position is 'rotry'"});
  expect_refused(further("x", "first", {"--rotary-base", "500"}), 2, {"--rotary-base: --position learned"});
  EXPECT_FALSE(exists(path("x")));
}

TEST_F(FurtherTraining, LongerSequences) {
  succeed(pretrain("first", {"--position", "learned", "--max-positions", "32"}));
  const Outcome outcome = run(further("longer", "first", {"--max-length", "80"}));
  EXPECT_EQ(outcome.exit_code, 0) << outcome.error;
  EXPECT_THAT(outcome.error,
              HasSubstr("learned positions have 80 rows instead of 32; rows from 32 on repeat those from 0 "
                        "on\n"));
  EXPECT_EQ(Json::parse(content(path("longer/config.json")))["max_position_embeddings"], 80);
  EXPECT_EQ(Json::parse(content(path("longer/tokenizer_config.json")))["model_max_length"], 80);
  EXPECT_THAT(run(further("said", "first", {"--max-positions", "50"})).error, HasSubstr("50 rows instead of 32"));
  expect_refused(further("x", "first", {"--max-length", "80", "--max-positions", "50"}), 2,
                 {"--max-length 80 is longer than the model's 50 learned positions"});

  succeed(pretrain("rotary"));
  const Outcome rotary = run(further("on", "rotary", {"--max-length", "600", "--batch-tokens", "600"}));
  EXPECT_EQ(rotary.exit_code, 0) << rotary.error;
  EXPECT_THAT(rotary.error, HasSubstr("sequences of 600 tokens are longer than the 512 of its config.json; rotary "
                                      "positions have no limit\n"));
  EXPECT_EQ(Json::parse(content(path("on/config.json")))["max_position_embeddings"], 600);
}

TEST_F(FurtherTraining, OtherTokensAreRefused) {
  succeed(pretrain("first"));
  put(path("other.txt"), sentences(200, 9) + "zebras zip zealously. zebras zip.\n");
  succeed({"train-tokenizer", "--vocab-size", "100", "--lowercase", "--input", path("other.txt"), "--output",
           path("other")});
  expect_refused(from("x", {"--init-from", path("first"), "--tokenizer", path("other")}), 2,
                 {"--tokenizer " + path("other") + ": token ", path("first"), "--init-from"});
  EXPECT_FALSE(exists(path("x")));
  // Fewer of the same tokens.
  std::filesystem::copy(path("tokenizer"), path("fewer"));
  std::filesystem::remove(path("fewer/tokenizer.json"));
  std::string vocabulary = content(path("tokenizer/vocab.txt"));
  vocabulary.resize(vocabulary.rfind('\n', vocabulary.size() - 2) + 1);
  put(path("fewer/vocab.txt"), vocabulary);
  succeed(from("same", {"--init-from", path("first"), "--tokenizer", path("fewer")}));
}

// A token that was added without a row is a problem only of a text that holds it.
TEST_F(FurtherTraining, TokensBeyondTheModelsRows) {
  for (const std::string objective : {"mlm", "clm"}) {
    const std::string model = "first_" + objective, more = "more_" + objective;
    succeed(pretrain(model, {"--objective", objective}));
    std::filesystem::remove(path(model + "/tokenizer.json"));
    put(path(model + "/vocab.txt"), content(path(model + "/vocab.txt")) + "zebra\n");
    const Outcome outcome = run(further(more, model, {"--objective", objective}));
    EXPECT_EQ(outcome.exit_code, 0) << outcome.error;
    EXPECT_THAT(outcome.error, HasSubstr("a text with one of the others is an error\n"));
    evaluated(more, {"--data", path("text.txt")});
    put(path("zebra.txt"), "the king and the zebra\n");
    const std::vector<std::string> parts = {"zebra.txt", "the token \"zebra\"", "rows of embeddings"};
    for (const Arguments& arguments :
         {Arguments{"evaluate", "--model", path(more), "--data", path("zebra.txt")},
          further("x", model, {"--objective", objective, "--validation-data", path("zebra.txt")})}) {
      const Outcome refused = run(arguments);
      EXPECT_EQ(refused.exit_code, 1);
      for (const std::string& part : parts) EXPECT_THAT(refused.error, HasSubstr(part));
    }
  }
}

TEST_F(FurtherTraining, KeysThatAreNotTakenAreNamed) {
  const std::string shape = R"("vocab_size":120,"hidden_size":32,"num_hidden_layers":1,"num_attention_heads":2,)"
                            R"("intermediate_size":48,"architectures":["RoFormerForMaskedLM"],)";
  put(path("odd.json"), "{" + shape + R"("model_type":"roformer","my_key":1,"rope_thetaa":500})");
  const std::string said = "odd.json: not understood and ignored: my_key, rope_thetaa\n";
  EXPECT_THAT(run(from("a", {"--config", path("odd.json")})).error, HasSubstr(said));
  Arguments grid = from("g", {"--config", path("odd.json"), "--positions", "rotary,none", "--seeds", "2"});
  grid[0] = "compare";
  const std::string told = run(grid).error;
  EXPECT_THAT(told, HasSubstr(said));
  EXPECT_EQ(told.find(said), told.rfind(said));
  EXPECT_THAT(run({"bench", "--config", path("odd.json"), "--seconds", "0", "--passes", "1"}).error, HasSubstr(said));

  Json config = Json::parse(content(path("a/config.json")));
  config["my_key"] = 1;
  put(path("a/config.json"), config.dump());
  EXPECT_THAT(run(further("b", "a")).error, HasSubstr("a/config.json: not understood and ignored: my_key\n"));
  EXPECT_THAT(run({"bench", "--model", path("a"), "--seconds", "0", "--passes", "1"}).error,
              HasSubstr("a/config.json: not understood and ignored: my_key\n"));

  put(path("base.json"), "{" + shape + R"("model_type":"roformer","rope_theta":500})");
  const std::vector<std::string> parts = {"base.json: 'rope_theta' is 500", "\"model_type\": \"roformer_variant\""};
  expect_refused(from("x", {"--config", path("base.json")}), 1, parts);
  expect_refused({"bench", "--config", path("base.json")}, 1, parts);
  put(path("variant.json"), "{" + shape + R"("model_type":"roformer_variant","rope_theta":500})");
  succeed(from("v", {"--config", path("variant.json")}));
  EXPECT_EQ(Json::parse(content(path("v/config.json")))["rope_theta"], 500);
  put(path("usual.json"), "{" + shape + R"("model_type":"roformer","rope_theta":10000})");
  succeed(from("u", {"--config", path("usual.json")}));
}

TEST_F(FurtherTraining, HowToGenerateComesAlong) {
  succeed(pretrain("first", {"--objective", "clm"}));
  put(path("first/generation_config.json"), R"({"eos_token_id": [3, 4]})");
  succeed(further("second", "first", {"--objective", "clm"}));
  EXPECT_EQ(content(path("second/generation_config.json")), content(path("first/generation_config.json")));
}

TEST_F(FurtherTraining, SentenceModulesComeAlong) {
  succeed(pretrain("first"));
  make_directories(path("sentences/1_Pooling"));
  rename_file(path("first"), path("sentences/0_Transformer"));
  put(path("sentences/modules.json"), R"([{"path": "0_Transformer", "type": "sentence_transformers.models.Transformer"},
                                          {"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}])");
  put(path("sentences/1_Pooling/config.json"), R"({"pooling_mode": "max"})");
  put(path("sentences/0_Transformer/sentence_bert_config.json"), R"({"max_seq_length": 7})");
  succeed(further("second", "sentences"));
  EXPECT_EQ(Json::parse(content(path("second/modules.json")))[0]["path"], "");
  EXPECT_THAT(succeed({"inspect", "--model", path("second")}),
              HasSubstr("max pooling, not normalized, texts truncated to 7 tokens"));
}

TEST_F(FurtherTraining, DefaultsAreShown) {
  const std::string dump = succeed({"pretrain", "--steps", "200", "--init-from", "somewhere", "--dump-config"});
  for (const char* line : {"steps = 200", "learning-rate = 5e-05", "warmup = 20", "max-length = 128",
                           "batch-tokens = 4096", "schedule = \"linear\"", "mask-probability = 0.15"}) {
    EXPECT_THAT(dump, HasSubstr("\n" + std::string(line) + "\n"));
  }
  EXPECT_THAT(dump, HasSubstr("\n# epochs = \n"));
  EXPECT_THAT(succeed({"help", "presets"}), ::testing::ContainsRegex("\ndemo +4 +256 +4 +4 +128 +4096 +400 +0.001\n"));
}

TEST_F(FurtherTraining, ALanguageModelIsEvaluated) {
  succeed(pretrain("masked", {"--steps", "60", "--learning-rate", "0.01"}));
  const Json masked = evaluated("masked", {"--data", path("text.txt")});
  EXPECT_THAT(keys(masked), ElementsAre("interval95", "metrics", "n", "task"));
  EXPECT_EQ(masked["task"], "language-model");
  EXPECT_THAT(keys(masked["metrics"]), ElementsAre("accuracy", "loss", "perplexity"));
  for (const char* metric : {"accuracy", "loss", "perplexity"}) {
    EXPECT_LT(masked["interval95"][metric][0], masked["metrics"][metric]) << metric;
    EXPECT_GT(masked["interval95"][metric][1], masked["metrics"][metric]) << metric;
  }
  EXPECT_NEAR(masked["metrics"]["perplexity"].get<double>(), std::exp(masked["metrics"]["loss"].get<double>()), 1e-9);
  EXPECT_EQ(evaluated("masked", {"--data", path("text.txt"), "--threads", "3"}), masked);
  EXPECT_NE(evaluated("masked", {"--data", path("text.txt"), "--seed", "2"}), masked);
  EXPECT_GT(evaluated("masked", {"--data", path("text.txt"), "--mask-probability", "0.5"})["n"], masked["n"]);

  succeed(pretrain("causal", {"--objective", "clm", "--validation-data", path("text.txt")}));
  const Json causal = evaluated("causal", {"--data", path("text.txt"), "--task", "perplexity"});
  EXPECT_EQ(causal["task"], "perplexity");
  EXPECT_NEAR(causal["metrics"]["loss"].get<double>(), validation_loss("causal", 12), 1e-4);
  EXPECT_THAT(succeed({"evaluate", "--model", path("causal"), "--data", path("text.txt")}),
              ::testing::ContainsRegex("predicted tokens in [0-9]+ sequences of up to 32 tokens\nperplexity "));
  expect_refused({"evaluate", "--model", path("causal"), "--data", path("text.txt"), "--whole-word"}, 2,
                 {"--whole-word", "causal"});
  expect_refused({"evaluate", "--model", path("causal"), "--data", path("nowhere.txt")}, 1, {"nowhere.txt"});
  expect_refused({"evaluate", "--model", path("causal")}, 2, {"--data"});
  expect_refused({"evaluate", "--model", path("causal"), "--data", path("text.txt"), "--task", "perplexit"}, 2,
                 {"--task", "perplexity"});
  const std::string trunk = path("trunk");
  std::filesystem::copy(path("masked"), trunk);
  StateDict weights = load_state_dict(path("masked/model.safetensors"));
  std::erase_if(weights, [](const auto& entry) { return entry.first.starts_with("cls."); });
  write_safetensors(trunk + "/model.safetensors", {weights.begin(), weights.end()});
  const Outcome headless = run({"evaluate", "--model", trunk, "--data", path("text.txt")});
  EXPECT_EQ(headless.exit_code, 2);
  EXPECT_THAT(headless.error, HasSubstr("no language-model head"));
}

}  // namespace
}  // namespace roformer::test
