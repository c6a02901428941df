// convert --from llama2c, and outputs of the converted models.
#include "interchange/llama2c.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <limits>

#include "base/error.h"
#include "base/file.h"
#include "formats/byte_reader.h"
#include "generation/generate.h"
#include "inference/forward.h"
#include "interchange/convert.h"
#include "lab/attention_scores.h"
#include "models/families/family.h"
#include "tests/base/temp_directory.h"
#include "tests/formats/llama2c_bytes.h"
#include "tests/text/sentencepiece/llama2c_file.h"
#include "text/sentencepiece/llama2c_tokenizer.h"

namespace roformer::test {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

class Llama2cTest : public ::testing::Test {
 protected:
  std::string write(const std::string& name, const std::string& bytes) {
    write_file_atomically(directory_ / name, bytes);
    return directory_ / name;
  }
  ConvertReport convert_to(const std::string& input, const std::string& output) {
    return convert({.from = "llama2c", .input = input, .output = directory_ / output}, *backend_);
  }

  TempDirectory directory_;
  ThreadPool pool_{2};
  std::unique_ptr<Backend> backend_ = make_cpu_backend(pool_);
};

TEST_F(Llama2cTest, EveryVersionIsTheSameLlama) {
  for (const bool shared : {true, false}) {
    std::string first;
    for (const int version : {0, 1, 2}) {
      const std::string name = std::to_string(version) + (shared ? "s" : "u");
      const ConvertReport report = convert_to(write(name + ".bin", llama2c_bytes({.shared = shared}, version)), name);
      EXPECT_TRUE(report.left_out.empty());
      EXPECT_EQ(report.tensors, 2 + 2 * 9 + (shared ? 0 : 1));
      if (first.empty()) first = report.result_hash;
      EXPECT_EQ(report.result_hash, first);
      const Model model = load_model(directory_ / name, *backend_);
      EXPECT_EQ(model.config().family, &families::llama);
      EXPECT_EQ(model.config().kv_heads, 2);
      EXPECT_EQ(model.config().tied, shared);
      EXPECT_EQ(model.config().max_positions, 8);
      EXPECT_EQ(model.config().bos_id, 1);
    }
  }
}

// llama2.c's data has token 1 between texts; 2 is the end of its tokenizer, which adds none to a prompt.
TEST_F(Llama2cTest, TextsEndWhereTheTrainingDataDid) {
  const ConvertOptions options{.from = "llama2c",
                               .input = write("m.bin", llama2c_bytes({.vocabulary = kSmallLlama2c}, 0)),
                               .output = directory_ / "m",
                               .tokenizer = write("t.bin", small_llama2c_file())};
  convert(options, *backend_);
  const Model model = load_model(directory_ / "m", *backend_);
  EXPECT_THAT(model.config().eos_ids, ::testing::ElementsAre(1, 2));
  const auto ends = named_end_ids(directory_ / "m", model.config());
  ASSERT_TRUE(ends);
  EXPECT_THAT(*ends, ::testing::ElementsAre(1, 2));
  const auto tokenizer = load_tokenizer(directory_ / "m");
  const TextGenerator generator(model, *tokenizer, {.sampling = {.greedy = true}, .end_ids = ends});
  EXPECT_THAT(generator.prompt("the", 0).ids, ::testing::ElementsAre(1, 261));
  EXPECT_THAT(generator.prompt("the</s>", 0).ids, ::testing::ElementsAre(1, 261, 2));  // written by the user
}

// Adjacent pairs of a head of four become halves: rows 0, 2, 1, 3. Values and everything else stay.
TEST_F(Llama2cTest, QueriesAndKeysArePermuted) {
  const Llama2cModel model = read_llama2c_model(write("model.bin", llama2c_bytes({}, 0)));
  const auto row = [](const Tensor& x, int64_t i) {
    return std::vector<float>(x.row<float>(i), x.row<float>(i) + x.columns());
  };
  const auto original = [](const std::string& name, int64_t i) {
    std::vector<float> values;
    for (int64_t j = 0; j < 16; ++j)
      values.push_back(llama2c_element("layers.1.attention." + name + ".weight", i * 16 + j));
    return values;
  };
  for (const auto& [theirs, ours] : {std::pair{"wq", "q_proj"}, {"wk", "k_proj"}, {"wv", "v_proj"}}) {
    const Tensor& x = model.weights.at("model.layers.1.self_attn." + std::string(ours) + ".weight");
    for (int64_t head = 0; head < x.rows() / 4; ++head) {
      const bool turns = std::string(theirs) != "wv";
      const std::vector<int64_t> order = turns ? std::vector<int64_t>{0, 2, 1, 3} : std::vector<int64_t>{0, 1, 2, 3};
      for (int64_t i = 0; i < 4; ++i) {
        EXPECT_EQ(row(x, head * 4 + i), original(theirs, head * 4 + order[static_cast<size_t>(i)])) << ours;
      }
    }
  }
}

TEST_F(Llama2cTest, Refusals) {
  std::string bytes = llama2c_bytes({}, 0);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  std::memcpy(bytes.data() + bytes.size() - 4 * 32 - 4, &nan, 4);  // the last number before the rotation's
  const std::string path = write("nan.bin", bytes);
  EXPECT_THAT([&] { convert_to(path, "out"); },
              ThrowsMessage<DataError>(HasSubstr("column 15 of norm.weight [16] is not finite")));
  EXPECT_FALSE(std::filesystem::exists(directory_ / "out"));
  const ConvertOptions adjacent{.from = "llama2c",
                                .input = write("model.bin", llama2c_bytes({}, 0)),
                                .output = directory_ / "out",
                                .rotary_layout = RotaryLayout::adjacent};
  EXPECT_THAT([&] { convert(adjacent, *backend_); }, ThrowsMessage<UsageError>(HasSubstr("layout \"half\"")));
  const ConvertOptions tokenizer{
      .input = directory_.path(), .output = directory_ / "out", .tokenizer = directory_ / "tokenizer.bin"};
  EXPECT_THAT([&] { convert(tokenizer, *backend_); }, ThrowsMessage<UsageError>(HasSubstr("from llama2c")));
}

// A NaN weight is named if it makes a result non-finite.
TEST_F(Llama2cTest, ForwardNamesANonFiniteWeight) {
  convert_to(write("model.bin", llama2c_bytes({}, 0)), "model");
  const std::string ids = write("ids.json", R"({"input_ids": [[1, 5, 3]]})");
  const Model model = load_model(directory_ / "model", *backend_, true);
  EXPECT_EQ(forward(model, ids, directory_ / "out.safetensors"), 1);
  for (const NamedParameter& named : model.parameters()) {
    if (named.name == "model.layers.0.mlp.gate_proj.weight") {
      named.parameter.value.data<float>()[17] = std::numeric_limits<float>::infinity();
    }
  }
  EXPECT_THAT([&] { forward(model, ids, directory_ / "out.safetensors"); },
              ThrowsMessage<DataError>(HasSubstr("row 1, column 1 of model.layers.0.mlp.gate_proj.weight")));
  const std::string types = write("types.json", R"({"input_ids": [[1]], "token_type_ids": [[0]]})");
  EXPECT_THAT([&] { forward(model, types, directory_ / "out.safetensors"); },
              ThrowsMessage<DataError>(HasSubstr("the model has no token types")));
}

// The text of each id in llama2.c's tokenizer.bin, as printed by run.c.
std::vector<std::string> read_pieces(const std::string& path, int64_t count) {
  const MappedFile file(path);
  ByteReader reader(file.view(), FilePath(path));
  reader.number<int32_t>();  // the longest
  std::vector<std::string> pieces;
  for (int64_t i = 0; i < count; ++i) {
    reader.number<float>();
    std::string piece(reader.read(static_cast<uint64_t>(reader.number<int32_t>())));
    if (piece.size() == 6 && piece.starts_with("<0x"))
      piece = std::string(1, static_cast<char>(std::stoi(piece.substr(3, 2), nullptr, 16)));
    pieces.push_back(piece);
  }
  return pieces;
}

// The real stories260K, without a cache: its greedy text, word for word.
TEST_F(Llama2cTest, TheGreedyTextOfStories260K) {
  const char* variable = std::getenv("ROFORMER_SHARED");
  const std::string shared = variable ? variable : ROFORMER_SOURCE_DIR "/../shared";
  const std::string script = shared + "/data/unpack.sh";
  if (!std::filesystem::exists(script)) GTEST_SKIP() << script << " is absent (set ROFORMER_SHARED)";
  const std::string command = "bash '" + script + "' '" + directory_.path() + "' models > /dev/null 2>&1";
  if (std::system(command.c_str()) != 0) GTEST_SKIP() << "cannot unpack the models";
  const std::string notes = read_file(directory_ / "models/stories260K.md", 1 << 20);
  const size_t begin = notes.find("Once upon a time"), end = notes.find("\n```", begin);
  ASSERT_NE(end, notes.npos);
  const std::string expected = notes.substr(begin, end - begin);

  convert_to(directory_ / "models/stories260K.bin", "stories");
  const Model model = load_model(directory_ / "stories", *backend_);
  EXPECT_EQ(model.config().kv_heads, 4);
  const auto pieces = read_pieces(directory_ / "models/stories260K_tok512.bin", model.config().vocabulary);
  std::vector<int32_t> ids = {1};
  std::string text;
  const Context context{.backend = *backend_};
  while (text.size() < expected.size() && ids.size() < 300) {
    Batch batch;
    batch.append(ids);
    const Value hidden = model.trunk().forward(context, batch);
    const Tensor logits = model.logits(context, hidden, batch).data;
    const float* const last = logits.row<float>(logits.rows() - 1);
    ids.push_back(static_cast<int32_t>(std::max_element(last, last + logits.columns()) - last));
    std::string piece = pieces.at(static_cast<size_t>(ids.back()));
    if (ids.size() == 2 && piece.starts_with(' ')) piece.erase(0, 1);  // after the begin of the text
    text += piece;
  }
  EXPECT_EQ(text.substr(0, expected.size()), expected);

  // The same with its tokenizer and a cache of keys and values.
  const std::string binary = directory_ / "models/stories260K_tok512.bin";
  for (const auto& [name, content] : read_llama2c_tokenizer(binary, model.config().vocabulary)) {
    write_file_atomically(join_path(directory_ / "stories", name), content);
  }
  const auto tokenizer = load_tokenizer(directory_ / "stories");
  const TextGenerator generator(model, *tokenizer, {.sampling = {.greedy = true}, .max_new_tokens = 256});
  const auto generated = generator.run(std::vector<Prompt>{generator.prompt("", 0)}, [](size_t, const std::string&) {});
  ASSERT_EQ(generated.size(), 1U);
  EXPECT_EQ(generated[0].text.substr(0, expected.size()), expected);
}

// Heads that share keys have copies of them here, rotated separately.
TEST(AttentionScoresTest, GroupedHeads) {
  ThreadPool pool(1);
  const auto backend = make_reference_backend(pool);
  const auto tensor = [](Shape shape, const std::vector<float>& values) {
    const Tensor x = Tensor::allocate(shape, DType::float32);
    std::copy(values.begin(), values.end(), x.data<float>());
    return x;
  };
  const std::vector<int32_t> offsets = {0, 2};
  const AttentionSpec spec{.heads = 4, .kv_heads = 2, .scale = 1, .query_offsets = offsets, .key_offsets = offsets};
  const Tensor keys = tensor({2, 2}, {1, 2, 3, 4});
  AttentionScores scores(*backend, spec, {tensor({2, 4}, {1, 10, 100, 1000, 2, 20, 200, 2000}), keys, keys});
  EXPECT_EQ(scores.at(0, 0, 1), 3);
  EXPECT_EQ(scores.at(1, 0, 1), 30);
  EXPECT_EQ(scores.at(2, 1, 0), 400);
  EXPECT_EQ(scores.at(3, 1, 1), 8000);
  scores.key(2, 0)[0] = 7;
  EXPECT_EQ(scores.at(2, 1, 0), 1400);
  EXPECT_EQ(scores.at(3, 1, 0), 4000);
}

}  // namespace
}  // namespace roformer::test
