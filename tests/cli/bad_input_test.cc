// Any error in the input gives one line that says what and where, the right exit code, and no partial output.
#include <nlohmann/json.hpp>

#include "tests/cli/program.h"

namespace roformer::test {
namespace {

using ::testing::HasSubstr;

class BadInput : public Workshop {
 protected:
  void expect_no_run(const Arguments& more, int exit_code, const std::vector<std::string>& parts) const {
    expect_refused(pretrain("out", more), exit_code, parts);
    EXPECT_FALSE(exists(path("out"))) << more.back();
  }
  void expect_bad_text(const std::string& text, const std::vector<std::string>& parts) const {
    put(path("bad.txt"), text);
    expect_no_run({"--data", path("bad.txt")}, 1, parts);
  }
  // A trained model to corrupt.
  std::string model() const {
    succeed(pretrain("model", {"--steps", "1"}));
    return path("model");
  }
  void expect_unloadable(const std::string& directory, const std::vector<std::string>& parts) const {
    expect_refused({"fill-mask", "--model", directory, "the [MASK]"}, 1, parts);
  }
};

TEST_F(BadInput, Data) {
  expect_no_run({"--data", path("nowhere.txt")}, 1, {path("nowhere.txt"), "No such file"});
  expect_no_run({"--data", path("text.txt"), path("nowhere.txt")}, 1, {path("nowhere.txt"), "No such file"});
  std::filesystem::create_directory(path("empty"));
  expect_no_run({"--data", path("empty")}, 1, {path("empty"), "directory without files"});
  expect_no_run({"--validation-data", path("nowhere.txt")}, 1, {path("nowhere.txt"), "No such file"});
  expect_bad_text("", {"bad.txt", "no text"});
  expect_bad_text("\n \n\t\n", {"bad.txt", "no text"});
  expect_bad_text("king", {"bad.txt", "too few"});
  expect_bad_text("\x1F\x8B\x08 damaged", {"bad.txt", "gzip"});
  expect_bad_text("the king\nsees \xff\xfe\n", {"bad.txt:2", "UTF-8"});
  expect_bad_text("the king\nsees\nthe\xc3", {"bad.txt:3", "UTF-8"});
  expect_bad_text(std::string("the king\na\0b\n", 13), {"bad.txt:2", "NUL"});
  std::string unknown;
  for (int i = 0; i < 200; ++i) unknown += "中文 ";
  expect_bad_text(unknown, {"bad.txt", "[UNK]"});
}

TEST_F(BadInput, AVeryLongLineIsJustALine) {
  std::string line;
  while (line.size() < 50'000'000) line += "the old king sees a small green garden ";
  put(path("long.txt"), line);
  const Outcome outcome = run(pretrain(
      "out", {"--data", path("long.txt"), "--steps", "1", "--threads", "2", "--validation-data", path("text.txt")}));
  EXPECT_EQ(outcome.exit_code, 0) << outcome.error;
  put(path("word.txt"), std::string(50'000'000, 'a'));  // one word, one [UNK]
  expect_refused(pretrain("word", {"--data", path("word.txt")}), 1, {"word.txt"});
  expect_refused({"train-tokenizer", "--vocab-size", "50", "--input", path("word.txt"), "--output", path("t")}, 1,
                 {"word.txt"});
  expect_refused({"tokenize", "--model", path("tokenizer")}, 1, {"standard input:1", "longer than"},
                 {.input = std::string(17 << 20, 'a'), .file_limit = {}, .environment = {}});
}

TEST_F(BadInput, Output) {
  expect_refused(pretrain("text.txt/below"), 1, {path("text.txt/below"), "Not a directory"});
  expect_refused(pretrain("text.txt"), 1, {path("text.txt")});
  Arguments nowhere = pretrain("out");
  nowhere[2] = "/proc/roformer";
  expect_refused(nowhere, 1, {"/proc/roformer"});
  nowhere[2] = "";
  expect_refused(nowhere, 2, {"--output"});
  expect_refused({"train-tokenizer", "--type", "byte", "--output", ""}, 2, {"--output"});
  expect_refused({"train-tokenizer", "--type", "byte", "--output", path("text.txt/below")}, 1, {path("text.txt")});
}

TEST_F(BadInput, Usage) {
  expect_no_run({"--stpes", "3"}, 2, {"--stpes", "did you mean --steps?"});
  expect_no_run({"--heads", "3"}, 2, {"--hidden-size 32", "--heads 3"});
  expect_no_run({"--heads", "32"}, 2, {"odd"});
  expect_no_run({"--hidden-size", "0"}, 2, {"--hidden-size"});
  expect_no_run({"--hidden-size", "-32"}, 2, {"--hidden-size"});
  expect_no_run({"--hidden-size", "1000000000"}, 2, {"--hidden-size"});
  expect_no_run({"--hidden-size", "99999999999999999999"}, 2, {"--hidden-size"});
  expect_no_run({"--hidden-size", "65536", "--layers", "1000"}, 1, {"GB"});
  expect_no_run({"--hidden-size", "many"}, 2, {"--hidden-size", "many"});
  expect_no_run({"--position", "rotory"}, 2, {"rotory", "rotary"});
  expect_no_run({"--position", "alibi", "--relative-clip", "8"}, 2,
                {"--relative-clip: --position alibi has no such parameter; expected one of shaw, nezha, deberta"});
  expect_no_run({"--position", "t5", "--relative-buckets", "5"}, 2, {"--relative-buckets is 5", "an even number"});
  expect_no_run({"--rotary-fraction", "1.5"}, 2, {"--rotary-fraction"});
  expect_no_run({"--schedule", "linaer"}, 2, {"linaer", "linear"});
  expect_no_run({"--optimizer", "lion"}, 2, {"--optimizer", "adamw", "lion"});
  expect_no_run({"--objective", "clm", "--whole-word"}, 2, {"--whole-word: --objective clm masks nothing"});
  expect_no_run({"--objective", "clm", "--mask-probability", "0.15"}, 2,
                {"--mask-probability: --objective clm masks nothing"});
  expect_no_run({"--preset", "huge"}, 2, {"huge", "roformer-base"});
  expect_no_run({"--learning-rate", "nan"}, 2, {"--learning-rate"});
  expect_no_run({"--dropout", "1"}, 2, {"--dropout"});
  expect_no_run({"--mask-probability", "1.5"}, 2, {"--mask-probability"});
  expect_no_run({"--validation-fraction", "1"}, 2, {"--validation-fraction"});
  expect_no_run({"--warmup", "13"}, 2, {"--warmup"});
  expect_no_run({"--steps", "0"}, 2, {"--steps"});
  expect_no_run({"--max-length", "2"}, 2, {"--max-length"});
  expect_no_run({"--max-length", "512"}, 2, {"--batch-tokens 256", "--max-length 512"});
  expect_no_run({"--device", "gpu"}, 2, {"--device", "cpu"});
  expect_no_run({"--tokenizer", path("nowhere")}, 1, {path("nowhere")});
  expect_refused(without(pretrain("out"), {"--tokenizer"}), 2, {"--tokenizer"});
  expect_refused(without(pretrain("out"), {"--data"}), 2, {"--data"});
  expect_refused(without(pretrain("out"), {"--output"}), 2, {"--output"});
  expect_refused({"pretrian"}, 2, {"pretrian", "did you mean pretrain?"});
  expect_refused({"fill-mask", "--model"}, 2, {"--model"});
  expect_refused({"bench", "--lengths", "5,x"}, 2, {"--lengths", "x"});
  expect_refused({"bench", "--mode", "training", "--dtype", "int8"}, 2, {"training", "int8"});
  expect_refused({"bench", "--dtype", "bfloat16", "--device", "reference"}, 2, {"reference", "float32"});
  expect_refused({"bench", "--dtype", "float8"}, 2, {"--dtype", "bfloat16", "float8"});
  expect_refused({"bench", "--mode", "rotation", "--ids", "ids.json"}, 2, {"--ids", "rotation"});
  expect_refused({"bench", "--mode", "decoding"}, 2, {"causal", "llama-100m"});
  expect_refused({"bench", "--position", "none", "--rotary-base", "500"}, 2, {"--rotary-base", "--position none"});
  expect_refused({"bench", "--mode", "decoding", "--ids", "ids.json"}, 2, {"--ids", "--prompt-tokens"});
  expect_refused({"bench", "--mode", "decoding", "--batches", "0"}, 2, {"--batches"});
  expect_refused({"bench", "--preset", "llama-100m", "--heads", "6"}, 2, {"num_key_value_heads"});
  expect_refused({"bench", "--config", path("nowhere.json")}, 1, {"nowhere.json"});
  expect_refused({"bench", "--config", "config.json", "--model", "m"}, 2, {"--config", "--model"});
  for (const char* ids : {R"({"input_ids":[]})", R"({"input_ids":[[1],[]]})", R"({"input_ids":[[8000]]})"}) {
    put(path("bench_ids.json"), ids);
    expect_refused({"bench", "--ids", path("bench_ids.json")}, 1, {"bench_ids.json", "input_ids"});
  }
  expect_refused({"bench", "--mode", "rotation", "--hidden-size", "9", "--heads", "3"}, 2, {"3"});
  expect_refused({"plot"}, 2, {"directories"});
}

TEST_F(BadInput, Vocabulary) {
  const auto expect_bad = [&](const std::string& vocabulary, const std::vector<std::string>& parts) {
    std::filesystem::create_directory(path("spoilt"));
    put(path("spoilt/vocab.txt"), vocabulary);
    expect_no_run({"--tokenizer", path("spoilt")}, 1, parts);
    expect_refused({"tokenize", "--model", path("spoilt"), "a"}, 1, parts);
  };
  const std::string special = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";
  expect_bad("", {"vocab.txt"});
  expect_bad("the\nking\n", {"vocab.txt", "[PAD]", "[MASK]"});
  expect_bad("[PAD]\n[UNK]\n[CLS]\nthe\n", {"vocab.txt", "[SEP]"});
  expect_bad(special + "the\n\xff\n", {"vocab.txt:7", "UTF-8"});
  put(path("spoilt/tokenizer_config.json"), R"({"tokenizer_class":"T5Tokenizer"})");
  expect_bad(special + "the\n", {"tokenizer_config.json", "T5Tokenizer"});
  put(path("spoilt/tokenizer_config.json"), R"({"do_lower_case":"yes"})");
  expect_bad(special + "the\n", {"tokenizer_config.json", "do_lower_case"});
  put(path("spoilt/tokenizer_config.json"), "{");
  expect_bad(special + "the\n", {"tokenizer_config.json", "line 1"});
}

TEST_F(BadInput, Config) {
  const std::string directory = model();
  const Json good = Json::parse(content(directory + "/config.json"));
  const auto expect_bad = [&](const std::string& text, const std::vector<std::string>& parts) {
    put(directory + "/config.json", text);
    expect_unloadable(directory, parts);
    put(path("shape.json"), text);
    expect_refused(without(pretrain("out", {"--config", path("shape.json")}), {"--hidden-size", "--layers", "--heads"}),
                   1, parts);
    EXPECT_FALSE(exists(path("out")));
  };
  const auto with = [&](const std::string& key, const Json& value) {
    Json config = good;
    config[key] = value;
    return config.dump();
  };
  const auto lacking = [&](const std::string& key) {
    Json config = good;
    config.erase(key);
    return config.dump();
  };
  expect_bad("", {"json"});
  expect_bad("{", {"json", "line 1"});
  expect_bad("[]", {"json", "object"});
  expect_bad(std::string(100'000, '['), {"json"});
  expect_bad(R"({"hidden_size":32,"hidden_size":64})", {"hidden_size", "twice"});
  for (const char* key :
       {"vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size"}) {
    expect_bad(lacking(key), {"json", key});
    expect_bad(with(key, "32"), {"json", key});
    expect_bad(with(key, 32.5), {"json", key});
    expect_bad(with(key, -1), {"json", key});
    expect_bad(with(key, 1'000'000'000), {"json", key});
    expect_bad(with(key, 1e300), {"json", key});
    expect_bad(with(key, UINT64_MAX), {"json", key});
  }
  expect_bad(with("num_attention_heads", 3), {"hidden_size 32", "num_attention_heads 3"});
  expect_bad(with("num_attention_heads", 0), {"num_attention_heads"});
  expect_bad(with("num_attention_heads", 32), {"odd"});
  expect_bad(with("hidden_act", "mish"), {"hidden_act", "gelu"});
  expect_bad(with("hidden_dropout_prob", 1), {"hidden_dropout_prob"});
  expect_bad(with("layer_norm_eps", -1), {"layer_norm_eps"});
  expect_bad(with("model_type", "berd"), {"model_type"});
  expect_bad(with("architectures", 7), {"architectures"});
  expect_bad(with("position_embedding_type", "absolute"), {"position_embedding_type"});
  expect_bad(with("pad_token_id", 120), {"pad_token_id"});
  expect_bad(with("is_decoder", 1), {"is_decoder"});
  put(path("shape.json"), with("is_decoder", true));
  expect_refused(without(pretrain("out", {"--config", path("shape.json")}), {"--hidden-size", "--layers", "--heads"}),
                 2, {"is_decoder"});
}

// Shapes that are fine alone but not those of the weights; every tensor is named, so there are more lines than one.
TEST_F(BadInput, AConfigThatIsNotThatOfTheWeights) {
  const std::string directory = model();
  const Json good = Json::parse(content(directory + "/config.json"));
  for (const auto& [key, value, named] :
       std::vector<std::tuple<std::string, Json, std::string>>{{"vocab_size", 121, "word_embeddings"},
                                                               {"hidden_size", 28, "query.weight"},
                                                               {"num_hidden_layers", 1, "layer.1"},
                                                               {"num_hidden_layers", 3, "layer.2"},
                                                               {"intermediate_size", 100, "intermediate"},
                                                               {"type_vocab_size", 3, "token_type"},
                                                               {"vocab_size", 10'000'000, "model.safetensors"},
                                                               {"num_hidden_layers", 1000, "model.safetensors"},
                                                               {"hidden_size", 65536, "model.safetensors"}}) {
    Json config = good;
    config[key] = value;
    put(directory + "/config.json", config.dump());
    const Outcome outcome = run({"fill-mask", "--model", directory, "the [MASK]"});
    EXPECT_EQ(outcome.exit_code, 1) << key;
    EXPECT_THAT(outcome.error, ::testing::StartsWith("roformer: ")) << key;
    EXPECT_THAT(outcome.error, HasSubstr(named)) << key;
  }
}

TEST_F(BadInput, Weights) {
  const std::string directory = model(), weights = directory + "/model.safetensors";
  const std::string good = content(weights);
  const auto expect_bad = [&](const std::string& bytes) {
    put(weights, bytes);
    expect_unloadable(directory, {"model.safetensors"});
    expect_refused({"inspect", "--model", directory}, 1, {"model.safetensors"});
  };
  for (const size_t size : {size_t{0}, size_t{7}, size_t{8}, size_t{100}, good.size() / 2, good.size() - 1}) {
    expect_bad(good.substr(0, size));
  }
  expect_bad(good + "x");
  for (const uint64_t length : {uint64_t{0}, uint64_t{1}, uint64_t{1} << 40, ~uint64_t{0}}) {
    std::string lying = good;
    std::memcpy(lying.data(), &length, sizeof length);
    expect_bad(lying);
  }
  // Same length, different meaning: fields of the header changed in place.
  const auto replaced = [&](const std::string& from, const std::string& to) {
    std::string changed = good;
    const size_t at = changed.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return changed.replace(at, from.size(), to);
  };
  expect_bad(replaced("\"F32\"", "\"F64\""));
  expect_bad(replaced("\"F32\"", "\"I99\""));
  expect_bad(replaced("[120,32]", "[121,32]"));
  expect_bad(replaced("[120,32]", "[-12,32]"));
  expect_bad(replaced("data_offsets\":[0,", "data_offsets\":[1,"));
  expect_bad(replaced("{\"", "[\""));

  std::filesystem::remove(weights);
  expect_unloadable(directory, {"model.safetensors", "holds no weights"});
  std::filesystem::create_directory(weights);
  expect_unloadable(directory, {"model.safetensors"});
}

TEST_F(BadInput, Texts) {
  const std::string directory = model();
  expect_refused({"fill-mask", "--model", directory, "no mask here"}, 1, {"text 1", "[MASK]"});
  expect_refused({"fill-mask", "--model", directory, "a \xff [MASK]"}, 1, {"text 1", "UTF-8"});
  expect_refused({"fill-mask", "--model", directory, "--input", path("nowhere")}, 1, {path("nowhere")});
  expect_refused({"fill-mask", "--model", path("nowhere"), "[MASK]"}, 1, {path("nowhere")});
  expect_refused({"fill-mask", "--model", directory, "--top-k", "0", "[MASK]"}, 2, {"--top-k"});
  put(path("lines.txt"), "the [MASK]\nthe king\n");
  const Outcome outcome = run({"fill-mask", "--model", directory, "--input", path("lines.txt")});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.error, HasSubstr("lines.txt:2: "));
  expect_refused({"tokenize", "--model", directory, "--pair", "no tab"}, 1, {"text 1", "tab"});
}

TEST_F(BadInput, LongerThanALearnedPositionTable) {
  put(path("shape.json"), R"({"vocab_size":120,"hidden_size":16,"num_hidden_layers":1,"num_attention_heads":2,
      "intermediate_size":16,"max_position_embeddings":32,"position_embedding_type":"learned",
      "model_type":"roformer_variant"})");
  const std::vector<std::string> shape = {"--hidden-size", "--layers", "--heads"};
  succeed(without(pretrain("model", {"--config", path("shape.json"), "--steps", "1"}), shape));
  expect_refused(without(pretrain("out", {"--config", path("shape.json"), "--max-length", "33"}), shape), 2,
                 {"--max-length 33", "32"});
  EXPECT_FALSE(exists(path("out")));
  const std::string text = "[MASK] a a a a a a a a a a a a a a a a a a a a a a a a a a a a a";  // 30 and two specials
  succeed({"fill-mask", "--model", path("model"), text});
  expect_refused({"fill-mask", "--model", path("model"), text + " a"}, 1, {"text 1", "32"});
  put(path("ids.json"), R"({"input_ids":[[1,2]],"position_ids":[[0,32]]})");
  expect_refused({"forward", "--model", path("model"), "--ids", path("ids.json"), "--output", path("o")}, 1, {"32"});
}

TEST_F(BadInput, Ids) {
  const std::string directory = model();
  const auto expect_bad = [&](const std::string& ids, const std::vector<std::string>& parts) {
    put(path("ids.json"), ids);
    const Arguments forward = {"forward", "--model", directory, "--ids", path("ids.json"), "--output", path("o")};
    expect_refused(forward, 1, parts);
    EXPECT_FALSE(exists(path("o"))) << ids;
  };
  for (const char* id : {"120", "-1", "1.5", "\"a\"", "null", "[1]", "1e30", "18446744073709551615", "true"}) {
    expect_bad("{\"input_ids\":[[1],[2," + std::string(id) + "]]}", {"ids.json", "input_ids[1][1]", "0 to 119"});
  }
  expect_bad("{}", {"ids.json", "input_ids"});
  expect_bad("[]", {"ids.json", "object"});
  expect_bad("{\"input_ids\":[1,2]}", {"input_ids", "list of lists"});
  expect_bad("{\"input_ids\":{}}", {"input_ids", "list of lists"});
  expect_bad("{\"input_ids\":[[1,2", {"ids.json", "line 1"});
  expect_bad(R"({"input_ids":[[1,2]],"token_type_ids":[[0]]})", {"token_type_ids[0]"});
  expect_bad(R"({"input_ids":[[1,2]],"token_type_ids":[[0,2]]})", {"token_type_ids[0][1]", "0 to 1"});
  expect_bad(R"({"input_ids":[[1,2]],"token_type_ids":[[0,1],[0]]})", {"token_type_ids has 2"});
  expect_bad(R"({"input_ids":[[1,2]],"position_ids":[[0,-1]]})", {"position_ids[0][1]"});
  expect_bad(R"({"input_ids":[[1,2]],"position_ids":[[0,536870913]]})", {"position_ids[0][1]"});
  put(path("ids.json"), R"({"input_ids":[[1]]})");
  const Arguments forward = {"forward", "--model", directory, "--ids", path("ids.json"), "--output"};
  expect_refused(forward + Arguments{path("text.txt/o")}, 1, {path("text.txt")});
  expect_refused(forward + Arguments{path("nowhere/o")}, 1, {path("nowhere")});
  expect_refused(forward + Arguments{path("tokenizer")}, 1, {path("tokenizer"), "directory"});
  expect_refused(forward + Arguments{""}, 2, {"--output"});
}

TEST_F(BadInput, Logs) {
  expect_refused({"plot", path("nowhere")}, 1, {path("nowhere")});
  std::filesystem::create_directory(path("run"));
  put(path("run/log.jsonl"), "{\"event\":\"train\",\"step\":1,\"loss\":2.5}\n");
  expect_refused({"plot", path("run")}, 1, {path("run"), "validation"});
  succeed({"plot", path("run"), "--event", "train"});
}

}  // namespace
}  // namespace roformer::test
