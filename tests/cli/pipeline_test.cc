// The whole workflow, from a text to a model in use, and the contract of what each command prints.
#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "formats/safetensors.h"
#include "tests/cli/program.h"
#include "tests/text/packed_text.h"

namespace roformer::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

class Pipeline : public Workshop {
 protected:
  std::string model(const std::string& name, const Arguments& more = {}) const {
    succeed(pretrain(name, more));
    return path(name);
  }
  // The best token of each [MASK], with checks of the shape of the answer.
  void expect_fills(const std::string& directory, const std::string& text, size_t masks) const {
    const auto lines = json_lines(succeed({"fill-mask", "--model", directory, "--json", "--top-k", "3", text}));
    ASSERT_EQ(lines.size(), 1u);
    EXPECT_THAT(keys(lines[0]), UnorderedElementsAre("text", "masks"));
    EXPECT_EQ(lines[0]["text"], text);
    ASSERT_EQ(lines[0]["masks"].size(), masks);
    for (const Json& candidates : lines[0]["masks"]) {
      ASSERT_EQ(candidates.size(), 3u);
      double before = 1;
      for (const Json& candidate : candidates) {
        EXPECT_THAT(keys(candidate), UnorderedElementsAre("token", "id", "score"));
        EXPECT_LE(candidate["score"].get<double>(), before);
        EXPECT_GT(candidate["score"].get<double>(), 0);
        before = candidate["score"];
      }
    }
  }
  SafetensorsFile forward(const std::string& directory, const std::string& ids) const {
    put(path("ids.json"), ids);
    succeed({"forward", "--model", directory, "--ids", path("ids.json"), "--output", path("out.safetensors")});
    return SafetensorsFile(path("out.safetensors"));
  }
};

TEST_F(Pipeline, FromATextToAModelInUse) {
  for (const std::string type : {"wordpiece", "char", "byte"}) {
    SCOPED_TRACE(type);
    const std::string tokenizer = path("tokenizer_" + type);
    succeed(
        {"train-tokenizer", "--type", type, "--vocab-size", "90", "--input", path("text.txt"), "--output", tokenizer});
    const auto tokens = json_lines(succeed({"tokenize", "--model", tokenizer, "--json", "the king [MASK]"}));
    ASSERT_EQ(tokens.size(), 1u);
    EXPECT_THAT(keys(tokens[0]), UnorderedElementsAre("tokens", "ids", "segment_ids", "offsets"));
    EXPECT_EQ(tokens[0]["tokens"].front(), "[CLS]");
    EXPECT_EQ(tokens[0]["tokens"].back(), "[SEP]");
    EXPECT_EQ(tokens[0]["offsets"][tokens[0]["ids"].size() - 2], Json({9, 15}));
    for (const char* list : {"ids", "segment_ids", "offsets"}) {
      EXPECT_EQ(tokens[0][list].size(), tokens[0]["tokens"].size()) << list;
    }

    const std::string directory = model(type, {"--tokenizer", tokenizer, "--log-every", "5", "--validate-every", "6"});
    expect_fills(directory, "the [MASK] sees a [MASK].", 2);
    expect_fills(directory, "[MASK] is [MASK]", 2);
    EXPECT_EQ(json_lines(succeed({"tokenize", "--model", directory, "--json", "the king [MASK]"})), tokens);
  }
}

TEST_F(Pipeline, ATrainingDirectoryHoldsWhatIsPromised) {
  const std::string directory = model("m", {"--steps", "12", "--log-every", "5", "--validate-every", "6"});
  for (const char* file : {"config.json", "model.safetensors", "vocab.txt", "tokenizer_config.json",
                           "training/step-12/manifest.json", "training/step-12/optimizer.safetensors"}) {
    EXPECT_TRUE(exists(directory + "/" + file)) << file;
  }
  const auto events = json_lines(content(directory + "/log.jsonl"));
  std::vector<std::pair<std::string, int>> seen;
  for (const Json& event : events) {
    seen.emplace_back(event["event"], event["step"]);
    EXPECT_TRUE(event["loss"].is_number_float());
    const auto names = keys(event);
    if (event["event"] == "train") {
      EXPECT_THAT(names, ::testing::IsSupersetOf(
                             {"event", "step", "loss", "learning_rate", "tokens", "tokens_per_second", "data_wait"}));
    } else {
      EXPECT_THAT(names, UnorderedElementsAre("event", "step", "loss", "accuracy"));
    }
  }
  EXPECT_THAT(seen, ElementsAre(std::pair("train", 1), std::pair("train", 5), std::pair("validation", 6),
                                std::pair("train", 10), std::pair("train", 12), std::pair("validation", 12)));
}

TEST_F(Pipeline, TrainingLearns) {
  model("m", {"--steps", "150", "--learning-rate", "0.01"});
  const auto events = log_of("m");
  EXPECT_LT(events.back()["loss"].get<double>(), 0.75 * events.front()["loss"].get<double>());
}

TEST_F(Pipeline, InspectBenchPlotInfo) {
  const std::string directory = model("m");
  const auto inspected = json_lines(succeed({"inspect", "--model", directory, "--json"}));
  ASSERT_EQ(inspected.size(), 1u);
  EXPECT_THAT(keys(inspected[0]),
              UnorderedElementsAre("model_type", "family", "head", "warnings", "parameters", "tensors", "config"));
  EXPECT_EQ(inspected[0]["model_type"], "roformer");
  EXPECT_EQ(inspected[0]["config"], Json::parse(content(directory + "/config.json")));
  int64_t parameters = 0;
  for (const Json& tensor : inspected[0]["tensors"]) {
    EXPECT_THAT(keys(tensor), UnorderedElementsAre("name", "shape", "dtype"));
    int64_t count = 1;
    for (const Json& dim : tensor["shape"]) count *= dim.get<int64_t>();
    // The table of sines that transformers looks for is not a parameter.
    if (tensor["name"].get<std::string>().find("embed_positions") == std::string::npos) parameters += count;
  }
  EXPECT_EQ(inspected[0]["parameters"], parameters);

  for (const Arguments& what :
       {Arguments{"--model", directory}, Arguments{"--hidden-size", "32", "--heads", "2", "--layers", "1"}}) {
    for (const char* mode : {"inference", "training"}) {
      const auto lines = json_lines(succeed(
          Arguments{"bench", "--json", "--mode", mode, "--lengths", "5,17,1", "--seconds", "0", "--passes", "2"} +
          what));
      ASSERT_EQ(lines.size(), 1u);
      for (const char* key : {"tokens_per_second", "gflops", "peak_memory"}) {
        EXPECT_GT(lines[0][key].get<double>(), 0) << key;
      }
    }
  }

  write_file_atomically(path("bench_ids.json"), R"({"input_ids":[[2,9,3],[2,7]]})");
  EXPECT_GT(json_lines(succeed({"bench", "--json", "--model", directory, "--mode", "training", "--ids",
                                path("bench_ids.json"), "--seconds", "0"}))[0]["first_loss"]
                .get<double>(),
            0);
  succeed({"bench", "--model", directory, "--lengths", "5,17", "--seconds", "0", "--trace", path("trace.json")});
  EXPECT_GT(Json::parse(read_file(path("trace.json"), 1 << 24))["traceEvents"].size(), 0u);
  expect_refused({"bench", "--mode", "rotation", "--trace", path("trace.json")}, 2, {"--trace"});
  const auto grids =
      json_lines(succeed({"bench", "--json", "--cores", "16,128", "--lengths", "5,17", "--seconds", "0"}));
  ASSERT_EQ(grids.size(), 2u);
  EXPECT_EQ(grids[1]["cores"], 128);
  EXPECT_GT(grids[1]["operators"].size(), 0u);
  EXPECT_THAT(succeed({"bench", "--cores", "16", "--mode", "training", "--lengths", "5", "--seconds", "0"}),
              testing::ContainsRegex("16 cores, .*\n.*\nlinear"));
  expect_refused({"bench", "--mode", "attention", "--cores", "4"}, 2, {"--cores"});
  for (const auto& [mode, count] : std::map<std::string, size_t>{{"rotation", 4}, {"attention", 4}, {"products", 4}}) {
    const auto lines = json_lines(succeed({"bench", "--json", "--mode", mode, "--lengths", "5,17", "--seconds", "0",
                                           "--window", "4", "--score-cap", "20"}));
    ASSERT_EQ(lines.size(), count);
    for (const Json& line : lines) EXPECT_GT(line["ms"].get<double>(), 0) << line;
  }
  const auto causal = json_lines(succeed({"bench", "--json", "--mode", "attention", "--attention", "linear-elu",
                                          "--direction", "causal", "--lengths", "4096", "--seconds", "0"}));
  ASSERT_EQ(causal.size(), 2u);
  EXPECT_TRUE(causal[0]["causal"].get<bool>());
  EXPECT_GE(causal[0]["memory"].get<int64_t>(), 4 * 4096 * 256 * 4);  // q, k, v and the result
  EXPECT_GE(causal[1]["memory"].get<int64_t>(), 8 * 4096 * 256 * 4);  // and the gradients of all

  for (const char* dtype : {"int8", "int4"}) {
    const auto decoded = json_lines(succeed(
        {"bench",        "--json", "--mode",    "decoding", "--preset",        "llama-100m", "--layers",     "1",
         "--vocab-size", "64",     "--batches", "1,3",      "--prompt-tokens", "3",          "--new-tokens", "2",
         "--seconds",    "0",      "--passes",  "2",        "--dtype",         dtype}));
    ASSERT_EQ(decoded.size(), 2u);
    EXPECT_THAT(decoded[0]["numbers"]["decoding"].get<std::string>(),
                testing::StartsWith("weights " + std::string(dtype) + " in groups of 32"));
  }
  expect_refused({"bench", "--model", directory, "--dtype", "int4"}, 2, {"--dtype", "decoders"});
  expect_refused({"bench", "--mode", "training", "--dtype", "int4"}, 2, {"training", "int4"});

  write_file_atomically(path("causal.json"), R"({"model_type":"roformer","architectures":["RoFormerForCausalLM"],
      "is_decoder":true,"vocab_size":30,"hidden_size":8,"num_hidden_layers":1,"num_attention_heads":2,
      "intermediate_size":16})");
  const auto decoded = json_lines(succeed({"bench", "--json", "--mode", "decoding", "--config", path("causal.json"),
                                           "--batches", "1,3", "--seconds", "0", "--passes", "2", "--profile"}));
  ASSERT_EQ(decoded.size(), 2u);
  EXPECT_EQ(decoded[1]["batch"], 3);
  for (const Json& line : decoded) {
    for (const char* key : {"tokens_per_second", "ms", "share_of_bandwidth", "steps", "weight_bytes", "bandwidth"}) {
      EXPECT_GT(line[key].get<double>(), 0) << key;
    }
    EXPECT_TRUE(line["cpu"].contains("features"));
    EXPECT_FALSE(line["profile"].empty());
  }

  EXPECT_THAT(succeed({"plot", directory, "--event", "train", "--output", path("loss.svg")}), HasSubstr("step"));
  EXPECT_THAT(content(path("loss.svg")), ::testing::ContainsRegex("^<.*svg"));
  EXPECT_THAT(keys(json_lines(succeed({"info", "--json"})).at(0)), ::testing::IsSupersetOf({"version", "backends"}));
}

// In the terms of a paper, with the count of parameters that training and bench give.
TEST_F(Pipeline, InspectBeginsWithTheModel) {
  const Outcome trained = run(pretrain("m"));
  const std::string directory = path("m"), page = succeed({"inspect", "--model", directory});
  const int64_t parameters = json_lines(succeed({"inspect", "--model", directory, "--json"})).at(0)["parameters"];
  for (const std::string& row :
       {std::string("family      roformer (model_type roformer)\n"), std::string("head        masked language model\n"),
        std::string("shape       2 layers, hidden 32, 2 heads of 16, intermediate 128, "
                    "vocabulary 120\n"),
        std::string("positions   rotary, base 10000\n"), std::string("attention   softmax, bidirectional\n"),
        std::string("tokenizer   wordpiece, 120 tokens\n"), std::string("embed       mean pooling, not normalized"),
        fmt::format("parameters  {}\n", parameters)}) {
    EXPECT_THAT(page, HasSubstr(row));
  }
  EXPECT_THAT(page, ::testing::Not(HasSubstr("word_embeddings.weight")));
  EXPECT_THAT(succeed({"inspect", "--model", directory, "--tensors"}), HasSubstr("word_embeddings.weight"));
  EXPECT_THAT(trained.error, HasSubstr(fmt::format(" {} parameters", parameters)));
  const Arguments bench = {"bench", "--json", "--model", directory, "--lengths", "5", "--seconds", "0"};
  EXPECT_EQ(json_lines(succeed(bench)).at(0)["parameters"], parameters);
  put(directory + "/config.json", R"({"model_type": "other"})");
  EXPECT_THAT(succeed({"inspect", "--model", directory}), HasSubstr("family      other\nnot usable  "));
}

TEST_F(Pipeline, EveryPositionEncodingTrainsAndLoads) {
  std::vector<std::string> hidden;
  for (const std::string position : {"rotary", "sinusoidal", "learned", "none"}) {
    SCOPED_TRACE(position);
    const std::string directory = model(position, {"--position", position});
    expect_fills(directory, "the [MASK] king.", 1);
    const SafetensorsFile out = forward(directory, R"({"input_ids":[[2,9,3],[2,7]],"position_ids":[[0,1,2],[5,4]]})");
    EXPECT_EQ(out.info("last_hidden_state.0").shape, (std::vector<int64_t>{3, 32}));
    EXPECT_EQ(out.info("logits.1").shape, (std::vector<int64_t>{2, 120}));
    const Json type = json_lines(succeed({"inspect", "--model", directory, "--json"}))[0]["model_type"];
    EXPECT_EQ(type, position == "rotary" ? "roformer" : "roformer_variant");
    hidden.push_back(content(path("out.safetensors")));
  }
  for (size_t i = 0; i < hidden.size(); ++i) {
    for (size_t j = 0; j < i; ++j) EXPECT_NE(hidden[i], hidden[j]);
  }
}

TEST_F(Pipeline, ForwardTakesRaggedLists) {
  const std::string directory = model("m");
  const SafetensorsFile out =
      forward(directory, R"({"input_ids":[[2,9,8,3],[5],[]],"token_type_ids":[[0,0,1,1],[0],[]]})");
  EXPECT_EQ(out.tensors().size(), 6u);
  EXPECT_EQ(out.info("last_hidden_state.0").shape, (std::vector<int64_t>{4, 32}));
  EXPECT_EQ(out.info("logits.1").shape, (std::vector<int64_t>{1, 120}));
  EXPECT_EQ(out.info("logits.2").shape, (std::vector<int64_t>{0, 120}));
  const Tensor alone = out.tensor("last_hidden_state.1");
  const SafetensorsFile again = forward(directory, R"({"input_ids":[[5]]})");
  for (int64_t i = 0; i < 32; ++i) {
    EXPECT_EQ(alone.data<float>()[i], again.tensor("last_hidden_state.0").data<float>()[i]);
  }
  EXPECT_TRUE(forward(directory, R"({"input_ids":[]})").tensors().empty());
}

TEST_F(Pipeline, InitFromContinuesFromTheWeightsOfAnother) {
  model("first", {"--steps", "40", "--learning-rate", "0.01"});
  const Arguments shape = {"--hidden-size", "--layers", "--heads", "--tokenizer"};
  succeed(without(pretrain("second", {"--init-from", path("first"), "--learning-rate", "0"}), shape));
  const SafetensorsFile a(path("first/model.safetensors")), b(path("second/model.safetensors"));
  ASSERT_EQ(a.tensors().size(), b.tensors().size());
  for (const TensorInfo& info : a.tensors()) {
    const Tensor x = a.tensor(info.name), y = b.tensor(info.name);
    ASSERT_EQ(std::memcmp(x.raw(), y.raw(), static_cast<size_t>(x.bytes())), 0) << info.name;
  }
  expect_fills(path("second"), "the [MASK] king.", 1);
  expect_refused(pretrain("third", {"--init-from", path("first")}), 2, {"--init-from", "shape"});
  expect_refused(without(pretrain("third", {"--init-from", path("nowhere"), "--tokenizer", path("tokenizer")}),
                         {"--hidden-size", "--layers", "--heads"}),
                 1, {path("nowhere")});
  EXPECT_FALSE(exists(path("third")));
}

TEST_F(Pipeline, CausalModelsAreDecoders) {
  const std::string directory = model("m", {"--objective", "clm", "--steps", "60", "--learning-rate", "0.01"});
  const Json config = Json::parse(content(directory + "/config.json"));
  EXPECT_EQ(config["architectures"], Json({"RoFormerForCausalLM"}));
  EXPECT_EQ(config["is_decoder"], true);
  EXPECT_EQ(Json::parse(content(directory + "/training/settings.json"))["objective"], "clm");
  const Json last = log_of("m").back();
  EXPECT_NEAR(last["perplexity"].get<double>(), std::exp(last["loss"].get<double>()), 1e-9);
  EXPECT_LT(last["perplexity"].get<double>(), 60);  // of 120 tokens

  expect_refused(pretrain("x", {"--objective", "clm", "--whole-word"}), 2, {"--whole-word", "clm"});
  expect_refused(pretrain("x", {"--objective", "clm", "--mask-probability", "0.15"}), 2, {"--mask-probability"});
  expect_refused(pretrain("m", {"--steps", "60", "--learning-rate", "0.01"}), 2, {"objective was \"clm\""});
  const Arguments shape = {"--hidden-size", "--layers", "--heads"};
  expect_refused(without(pretrain("x", {"--init-from", directory}), shape), 2, {"is_decoder"});
  EXPECT_FALSE(exists(path("x")));
}

TEST_F(Pipeline, LinearAttention) {
  const std::string masked = model("m", {"--attention", "linear-elu"});
  const Json config = Json::parse(content(masked + "/config.json"));
  EXPECT_EQ(config["model_type"], "roformer_variant");
  EXPECT_EQ(config["attention_type"], "linear-elu");
  EXPECT_EQ(config["attention_rotation"], "after");
  expect_fills(masked, "the [MASK] king.", 1);

  const std::string causal = model("c", {"--objective", "clm", "--attention", "linear-favor", "--attention-rotation",
                                         "before", "--favor-features", "6", "--favor-redraw", "3", "--seed", "4"});
  const Json favor = Json::parse(content(causal + "/config.json"));
  EXPECT_EQ(favor["attention_rotation"], "before");
  EXPECT_EQ(favor["favor_features"], 6);
  EXPECT_EQ(favor["favor_redraw"], 3);
  EXPECT_EQ(favor["favor_seed"], 4);
  const Json last = log_of("c").back();
  EXPECT_GT(last["bits_per_character"].get<double>(), 0);

  expect_refused(pretrain("x", {"--attention", "linear"}), 2, {"linear", "linear-elu", "--attention"});
  expect_refused(pretrain("x", {"--attention", "linear-elu", "--position", "alibi"}), 2, {"alibi", "scores"});
  expect_refused(pretrain("x", {"--attention-rotation", "before"}), 2, {"--attention-rotation", "--attention"});
  expect_refused(pretrain("x", {"--attention", "linear-elu,softmax,linear-elu"}), 2, {"3 kinds"});
  EXPECT_FALSE(exists(path("x")));
}

TEST_F(Pipeline, AConfigGivesTheShape) {
  put(path("shape.json"), R"({"vocab_size":130,"hidden_size":16,"num_hidden_layers":1,"num_attention_heads":2,
                              "intermediate_size":24,"embedding_size":8,"rotary_value":true})");
  succeed(without(pretrain("m", {"--config", path("shape.json")}), {"--hidden-size", "--layers", "--heads"}));
  const Json config = Json::parse(content(path("m/config.json")));
  EXPECT_EQ(config["embedding_size"], 8);
  EXPECT_EQ(config["vocab_size"], 130);
  EXPECT_EQ(config["rotary_value"], true);
  expect_fills(path("m"), "the [MASK] king.", 1);
}

TEST_F(Pipeline, SchedulesAndWholeWordsAndMaskingChangeTheRun) {
  std::vector<std::string> weights;
  for (const Arguments& choice :
       {Arguments{}, Arguments{"--schedule", "constant"}, Arguments{"--schedule", "cosine"},
        Arguments{"--schedule", "inverse-sqrt", "--warmup", "4"}, Arguments{"--whole-word"},
        Arguments{"--mask-probability", "0.5"}, Arguments{"--warmup", "0"}, Arguments{"--weight-decay", "0.5"},
        Arguments{"--clip-norm", "0.1"}, Arguments{"--seed", "9"}}) {
    const std::string directory = model(fmt::format("m{}", weights.size()), choice);
    weights.push_back(content(directory + "/model.safetensors"));
    for (size_t i = 0; i + 1 < weights.size(); ++i) EXPECT_NE(weights[i], weights.back()) << i;
  }
  const auto constant = log_of("m1");
  EXPECT_EQ(constant[constant.size() - 2]["learning_rate"], 0.001);
}

TEST_F(Pipeline, EpochsBecomeSteps) {
  succeed({"train-tokenizer", "--type", "byte", "--output", path("bytes")});
  put(path("abc.txt"), std::string(300, 'a'));  // 10 sequences of 30 bytes and two specials; one is held out
  const Arguments data = {"--tokenizer", path("bytes"), "--data", path("abc.txt"), "--batch-tokens", "64"};
  const auto steps = [&](const std::string& name, const Arguments& more) {
    succeed(without(pretrain(name, data + more), {"--steps"}));
    return log_of(name).back()["step"].get<int>();
  };
  EXPECT_EQ(steps("one", {"--epochs", "1"}), 5);  // 9 sequences, 2 a step
  EXPECT_EQ(steps("two", {"--epochs", "2"}), 9);
  EXPECT_EQ(steps("half", {"--epochs", "0.5", "--accumulate", "2"}), 2);
  expect_refused(pretrain("both", data + Arguments{"--epochs", "1"}), 2, {"--steps", "--epochs"});
}

TEST_F(Pipeline, WhatEndsADocument) {
  put(path("documents.txt"),
      "<doc id=\"1\">\nthe king sees.\n\nthe ship.\n</doc>\n<doc>\na river.\n</doc>\n" + sentences(40));
  const auto documents = [&](const Arguments& rule) {
    static int runs = 0;
    const Outcome outcome =
        run(pretrain(fmt::format("m{}", ++runs), Arguments{"--data", path("documents.txt"), "--steps", "1"} + rule));
    EXPECT_EQ(outcome.exit_code, 0) << outcome.error;
    return outcome.error.substr(0, outcome.error.find(","));
  };
  EXPECT_EQ(documents({}), "8 documents");  // two marked ones, then 40 sentences, seven to a paragraph
  EXPECT_EQ(documents({"--documents", "blank-line"}), "7 documents");
  EXPECT_EQ(documents({"--documents", "lines"}), "47 documents");
  EXPECT_EQ(documents({"--documents", "doc-tags"}), "3 documents");
}

TEST_F(Pipeline, HowTheTextIsStoredDoesNotMatter) {
  const std::string one = sentences(40), two = sentences(30, 7);
  std::filesystem::create_directories(path("folder/inner"));
  put(path("one.txt"), one);
  put(path("two.txt"), two);
  put(path("folder/a.gz"), gzip(one));
  put(path("folder/inner/b"), zstandard(two));
  succeed(pretrain("plain", {"--data", path("one.txt"), path("two.txt")}));
  succeed(pretrain("packed", {"--data", path("folder"), "--reader-threads", "3"}));
  EXPECT_EQ(content(path("plain/model.safetensors")), content(path("packed/model.safetensors")));
  EXPECT_EQ(content(path("plain/training/settings.json")), content(path("packed/training/settings.json")));
}

TEST_F(Pipeline, ValidationDataOfItsOwn) {
  put(path("validation.txt"), sentences(20, 5));
  const Outcome outcome = run(pretrain("m", {"--validation-data", path("validation.txt")}));
  EXPECT_EQ(outcome.exit_code, 0) << outcome.error;
  EXPECT_THAT(outcome.error, HasSubstr("; 6 validation sequences"));
  expect_refused(pretrain("x", {"--validation-data", path("validation.txt"), "--validation-fraction", "0.1"}), 2,
                 {"--validation-data", "--validation-fraction"});
}

TEST_F(Pipeline, TextsArriveUntouched) {
  const std::string directory = model("m");
  const std::vector<std::string> texts = {"[MASK] is [MASK]", "a, \"b\" [c] {d} [MASK]", "😀 [MASK] — ok, 'x'",
                                          "--top [MASK]",     "  [MASK]\\n%s  ",         "[[MASK]],[MASK]"};
  std::string lines;
  for (const std::string& text : texts) lines += text + "\n";
  put(path("lines.txt"), lines);
  const auto echoes = [&](const Arguments& arguments, const std::string& input = "") {
    std::vector<std::string> result;
    for (const Json& line : json_lines(succeed(arguments, {.input = input, .file_limit = {}, .environment = {}}))) {
      result.push_back(line["text"]);
    }
    return result;
  };
  const Arguments fill = {"fill-mask", "--model", directory, "--json"};
  EXPECT_EQ(echoes(fill + Arguments{"--"} + texts), texts);
  EXPECT_EQ(echoes(fill + Arguments{"--input", path("lines.txt")}), texts);
  EXPECT_EQ(echoes(fill, lines), texts);
  EXPECT_EQ(echoes(fill + Arguments{"-"}, lines), texts);

  const Arguments tokenize = {"tokenize", "--model", directory, "--json"};
  const std::string expected = succeed(tokenize + Arguments{"--"} + texts);
  EXPECT_EQ(json_lines(expected).size(), texts.size());
  EXPECT_EQ(succeed(tokenize + Arguments{"--input", path("lines.txt")}), expected);
  EXPECT_EQ(succeed(tokenize, {.input = lines, .file_limit = {}, .environment = {}}), expected);
  EXPECT_THAT(json_lines(succeed(tokenize + Arguments{"😀 [MASK] a"}))[0]["offsets"],
              Json({{0, 0}, {0, 1}, {2, 8}, {9, 10}, {0, 0}}));
  EXPECT_THAT(json_lines(succeed(tokenize + Arguments{"--pair", "the king\ta ship"}))[0]["segment_ids"].back(), 1);
}

TEST_F(Pipeline, SettingsFromTheEnvironmentAndAFile) {
  put(path("run.toml"), "steps = 5\nlog-every = 2\n");
  succeed(without(pretrain("file", {"--config-file", path("run.toml")}), {"--steps"}));
  EXPECT_EQ(log_of("file").back()["step"], 5);
  succeed(without(pretrain("both", {"--config-file", path("run.toml")}), {"--steps"}),
          {.input = {}, .file_limit = {}, .environment = {"ROFORMER_STEPS=7"}});
  EXPECT_EQ(log_of("both").back()["step"], 7);
  const std::string dumped = succeed(pretrain("file", {"--dump-config"}));
  put(path("dumped.toml"), dumped);
  EXPECT_THAT(dumped, HasSubstr("\nsteps = 12"));
  EXPECT_EQ(succeed({"pretrain", "--config-file", path("dumped.toml"), "--dump-config"}), dumped);
}

// A child begins as a copy of what starts it, here half a gigabyte.
TEST(Bench, CountsItsOwnMemoryAlone) {
  if (kSanitized) GTEST_SKIP() << "a sanitizer's own memory counts, too";
  const std::string ballast(size_t{1} << 29, 'x');
  const auto lines = json_lines(succeed(
      {"bench", "--json", "--hidden-size", "32", "--heads", "2", "--layers", "1", "--lengths", "5", "--seconds", "0"}));
  EXPECT_LT(lines.at(0)["peak_memory"].get<size_t>(), ballast.size() / 2);
}

}  // namespace
}  // namespace roformer::test
