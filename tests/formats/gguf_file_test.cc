#include "formats/gguf_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "formats/gguf_architectures.h"
#include "formats/gguf_config.h"
#include "formats/gguf_model.h"
#include "formats/gguf_tokenizer.h"
#include "formats/gguf_writer.h"
#include "formats/safetensors.h"
#include "tests/base/error_detail.h"
#include "tests/base/temp_directory.h"
#include "tests/formats/gguf_bytes.h"

namespace roformer::test {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

const std::string kGgufFixtures = ROFORMER_SOURCE_DIR "/tests/fixtures/gguf/";

class GgufFileTest : public ::testing::Test {
 protected:
  std::string write(const std::string& bytes) {
    write_file_atomically(directory_ / "model.gguf", bytes);
    return directory_ / "model.gguf";
  }
  GgufFile read(const GgufBytes& file) { return GgufFile(write(file.bytes())); }
  void expect_bytes_refused(const std::string& bytes, const std::string& message) {
    const std::string path = write(bytes);
    EXPECT_THAT([&] { GgufFile file(path); }, ThrowsMessage<DataError>(HasSubstr(message)));
    EXPECT_EQ(detail_of<DataError>([&] { GgufFile file(path); }).path, path) << message;
  }
  void expect_refused(const GgufBytes& file, const std::string& message) {
    expect_bytes_refused(file.bytes(), message);
  }

  TempDirectory directory_;
};

TEST_F(GgufFileTest, EveryBlockTypeHasTheValuesOfTheReference) {
  const GgufFile file(kGgufFixtures + "blocks.gguf");
  const SafetensorsFile expected(kGgufFixtures + "blocks.safetensors");
  ASSERT_EQ(file.tensors().size(), 11u);
  for (const GgufTensor& tensor : file.tensors()) {
    SCOPED_TRACE(tensor.name);
    EXPECT_EQ(tensor.name, tensor.type->name);
    const Tensor values = expected.tensor(tensor.name);
    ASSERT_EQ(tensor.shape, (std::vector<int64_t>{values.dim(0), values.dim(1)}));
    const int64_t columns = values.dim(1);
    std::vector<float> row(static_cast<size_t>(columns));
    for (int64_t r = 0; r < values.dim(0); ++r) {
      EXPECT_TRUE(
          decode_row(*tensor.type, file.data(tensor) + r * tensor.type->row_bytes(columns), columns, row.data()));
      for (int64_t c = 0; c < columns; ++c) {
        ASSERT_EQ(std::bit_cast<uint32_t>(row[static_cast<size_t>(c)]),
                  std::bit_cast<uint32_t>(values.row<float>(r)[c]))
            << r << ", " << c;
      }
    }
  }
}

TEST_F(GgufFileTest, RoundsAsTheReference) {
  const GgufFile file(kGgufFixtures + "rounded.gguf");
  const Tensor numbers = SafetensorsFile(kGgufFixtures + "rounded.safetensors").tensor("numbers");
  for (const char* name : {"F16", "Q8_0", "Q4_0"}) {
    SCOPED_TRACE(name);
    const GgufTensor& tensor = *file.find(name);
    const int64_t columns = numbers.columns(), bytes = tensor.type->row_bytes(columns);
    std::string row(static_cast<size_t>(bytes), '\0');
    for (int64_t r = 0; r < numbers.rows(); ++r) {
      encode_row(*tensor.type, numbers.row<float>(r), columns, row.data());
      EXPECT_EQ(row, std::string(file.data(tensor) + r * bytes, static_cast<size_t>(bytes))) << r;
    }
  }
}

TEST_F(GgufFileTest, RoundsToTheNearestHalf) {
  const BlockType& half = *find_block_type("F16");
  for (uint32_t bits = 0; bits < 0x7C00; ++bits) {  // each finite half, and the numbers halfway to the next
    const float exact = widened(Float16{static_cast<uint16_t>(bits)});
    const float next = bits == 0x7BFF ? 65536 : widened(Float16{static_cast<uint16_t>(bits + 1)});
    const float between = (exact + next) / 2, even = bits % 2 == 0 ? exact : next;
    uint16_t found[3];
    encode_row(half, &exact, 1, reinterpret_cast<char*>(&found[0]));
    encode_row(half, &between, 1, reinterpret_cast<char*>(&found[1]));
    const float below = std::nextafter(between, 0.0F);
    encode_row(half, &below, 1, reinterpret_cast<char*>(&found[2]));
    ASSERT_EQ(found[0], bits);
    ASSERT_EQ(found[1], even == exact ? bits : bits + 1) << bits;
    ASSERT_EQ(found[2], bits) << bits;
  }
}

TEST_F(GgufFileTest, ReadsEveryKindOfValue) {
  const auto item = [](const std::string& key, uint32_t type, const std::string& value) {
    return gguf_text(key) + le(type) + value;
  };
  GgufBytes file;
  file.version = 2;
  file.items = {item("u8", 0, le(uint8_t{200})),
                item("i8", 1, le(int8_t{-3})),
                item("u16", 2, le(uint16_t{60000})),
                item("i16", 3, le(int16_t{-300})),
                gguf_u32("u32", 4000000000),
                item("i32", 5, le(int32_t{-70000})),
                item("f32", 6, le(1e-5F)),
                item("bool", 7, le(uint8_t{1})),
                gguf_string("text", "naïve"),
                item("array", 9, le(uint32_t{8}) + le(uint64_t{2}) + gguf_text("a") + gguf_text("")),
                item("u64", 10, le(uint64_t{1} << 60)),
                item("i64", 11, le(int64_t{-1})),
                item("f64", 12, le(0.1))};
  const Json expected = {{"u8", 200},
                         {"i8", -3},
                         {"u16", 60000},
                         {"i16", -300},
                         {"u32", 4000000000},
                         {"i32", -70000},
                         {"f32", 1e-5},
                         {"bool", true},
                         {"text", "naïve"},
                         {"array", {"a", ""}},
                         {"u64", uint64_t{1} << 60},
                         {"i64", -1},
                         {"f64", 0.1}};
  const GgufFile read_file = read(file);
  EXPECT_EQ(read_file.metadata().value(), expected);
  EXPECT_EQ(read_file.version(), 2u);
}

TEST_F(GgufFileTest, RefusesWhatIsCutOff) {
  GgufBytes file;
  file.items = {gguf_u32("a", 1), gguf_string("b", "text")};
  file.tensors = {gguf_tensor("t", {8}, 0, 0)};
  file.data = 32;
  const std::string bytes = file.bytes();
  EXPECT_NO_THROW(GgufFile(write(bytes)));
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(detail_of<DataError>([&] { GgufFile cut(write(bytes.substr(0, size))); }).path, directory_ / "model.gguf")
        << size;
  }
}

TEST_F(GgufFileTest, RefusesWhatIsNotTrue) {
  expect_bytes_refused("", "does not begin with GGUF");
  expect_bytes_refused(std::string("GGML\3\0\0\0", 8), "does not begin with GGUF");
  expect_refused({.version = 1}, "of version 1, expected 2 or 3");
  expect_refused({.version = 3U << 24}, "expected 2 or 3, little-endian");
  expect_refused({.more_items = 1U << 20}, "1048576 keys in a file of");
  expect_refused({.more_tensors = ~uint64_t{0}}, "tensors in a file of");
  const auto with_item = [](const std::string& item) { return GgufBytes{.items = {item}}; };
  expect_refused(with_item(le(~uint64_t{0})), "truncated");
  expect_refused(with_item(gguf_text("a") + le(uint32_t{13})), "of type 13, expected 0 to 12");
  expect_refused(with_item(gguf_text("a") + le(uint32_t{8}) + le(uint64_t{1} << 40)), "truncated");
  expect_refused(with_item(gguf_string("a", "\xFF")), "is not UTF-8 (\"a\")");
  expect_refused(with_item(gguf_text("a") + le(uint32_t{9}) + le(uint32_t{9}) + le(uint64_t{1})), "array of arrays");
  expect_refused(with_item(gguf_text("a") + le(uint32_t{9}) + le(uint32_t{8}) + le(uint64_t{1} << 60)),
                 "an array of 1152921504606846976 values");
  expect_refused({.items = {gguf_u32("a", 1), gguf_u32("a", 1)}}, "\"a\" occurs twice");
  EXPECT_THAT([&] { read({.items = {gguf_u32("general.alignment", 48)}}); },
              ThrowsMessage<DataError>(HasSubstr("expected a power of two")));
  EXPECT_THAT([&] { read({.items = {gguf_u32("general.alignment", 0)}}); },
              ThrowsMessage<DataError>(HasSubstr("general.alignment")));
}

TEST_F(GgufFileTest, RefusesTensorsThatAreNotThere) {
  const auto with = [](const std::vector<std::string>& tensors, int64_t data = 64) {
    return GgufBytes{.tensors = tensors, .data = data};
  };
  expect_refused(with({gguf_tensor("t", {8}, 99, 0)}),
                 "\"t\" is of the unknown type 99, expected F32, F16, BF16, Q8_0");
  expect_refused(with({gguf_tensor("t", {1, 1, 1, 1, 1}, 0, 0)}), "has 5 dimensions, expected at most 4");
  expect_refused(with({gguf_tensor("t", {0}, 0, 0)}), "a dimension of 0");
  expect_refused(with({gguf_tensor("t", {33}, 2, 0)}), "is Q4_0 with rows of 33, expected whole blocks of 32");
  expect_refused(with({gguf_tensor("t", {uint64_t{1} << 62, 8}, 0, 0)}), "has a shape that is too large");
  expect_refused(with({gguf_tensor("t", {uint64_t{1} << 40, uint64_t{1} << 20, 1U << 20}, 2, 0)}), "too large");
  expect_refused(with({gguf_tensor("t", {17}, 0, 0)}),
                 "needs bytes 0 to 68 behind the header, of which the file has 64");
  expect_refused(with({gguf_tensor("t", {8}, 0, 1ULL << 40)}), "it is truncated, or lies");
  expect_refused(with({gguf_tensor("t", {8}, 0, ~uint64_t{0})}), "begins beyond the file");
  expect_refused(with({gguf_tensor("t", {4}, 0, 16)}), "begins at 16, expected a multiple of 32");
  expect_refused(with({gguf_tensor("t", {8}, 0, 0), gguf_tensor("t", {8}, 0, 32)}), "\"t\" occurs twice");
  expect_refused(with({gguf_tensor("a", {9}, 0, 0), gguf_tensor("b", {8}, 0, 32)}, 96), "\"b\" overlaps \"a\"");
}

TEST_F(GgufFileTest, WritesWhatItReads) {
  const Tensor tensor = Tensor::allocate({2, 32}, DType::float32);
  for (int64_t i = 0; i < 64; ++i) tensor.data<float>()[i] = static_cast<float>(i % 8);
  {
    FileWriter file(directory_ / "written.gguf");
    write_gguf(
        file,
        {{"n", 7U}, {"names", std::vector<std::string>{"a", "b"}}, {"yes", true}, {"scores", std::vector<float>{0.5F}}},
        {{"t", find_block_type("F16"), tensor, {1, 0}}, {"u", find_block_type("F32"), tensor, {}, 1}});
    file.close();
  }
  const GgufFile read_back(directory_ / "written.gguf");
  EXPECT_EQ(read_back.metadata().value(), (Json{{"n", 7}, {"names", {"a", "b"}}, {"yes", true}, {"scores", {0.5}}}));
  std::vector<float> row(32);
  decode_row(*read_back.find("u")->type, read_back.data(*read_back.find("u")), 32, row.data());
  EXPECT_EQ(row[3], 4);
  tensor.data<float>()[5] = 70000;
  FileWriter file(directory_ / "large.gguf");
  EXPECT_THAT(
      [&] {
        write_gguf(file, {}, {{"t", find_block_type("F16"), tensor}});
      },
      ThrowsMessage<DataError>(HasSubstr("\"t\": row 0 holds a number that is not finite as F16")));
}

TEST_F(GgufFileTest, RowsOfHeadsAreAPermutation) {
  for (const GgufRows order : {GgufRows::same, GgufRows::adjacent_pairs, GgufRows::stacked}) {
    std::vector<bool> seen(24);
    for (int64_t r = 0; r < 24; ++r) seen[static_cast<size_t>(gguf_row(order, r, 24, 2))] = true;
    EXPECT_THAT(seen, ::testing::Each(true));
  }
  EXPECT_EQ(gguf_row(GgufRows::adjacent_pairs, 12 + 1, 24, 2), 12 + 2);  // the second pair's first element
  EXPECT_EQ(gguf_row(GgufRows::adjacent_pairs, 12 + 7, 24, 2), 12 + 3);
  EXPECT_EQ(gguf_row(GgufRows::stacked, 12 + 5, 24, 2), 8 + 4 + 1);  // of the second head's key
}

TEST_F(GgufFileTest, NamesOfTensorsGoBothWays) {
  const GgufArchitecture& llama = *find_gguf_architecture("llama");
  EXPECT_EQ(name_from_gguf(llama, "blk.12.attn_q.weight"), "model.layers.12.self_attn.q_proj.weight");
  EXPECT_EQ(name_in_gguf(llama, "model.layers.12.self_attn.q_proj.weight"), "blk.12.attn_q.weight");
  EXPECT_EQ(name_in_gguf(*find_gguf_architecture("gpt_neox"), "gpt_neox.layers.0.attention.dense.bias"),
            "blk.0.attn_output.bias");
  for (const char* other :
       {"blk.x.attn_q.weight", "blk..attn_q.weight", "blk.1.attn_q", "attn_q.weight", "blk.1.new.weight"}) {
    EXPECT_EQ(name_from_gguf(llama, other), "") << other;
  }
}

class GgufConfigTest : public GgufFileTest {
 protected:
  // A llama of one layer with `more` keys and tensors.
  GgufBytes llama(const std::vector<std::string>& more, const std::vector<std::string>& tensors = {}) {
    GgufBytes file;
    file.items = {gguf_string("general.architecture", "llama"), gguf_u32("llama.block_count", 1),
                  gguf_u32("llama.embedding_length", 16), gguf_u32("llama.attention.head_count", 2)};
    file.items.insert(file.items.end(), more.begin(), more.end());
    file.tensors = {gguf_tensor("token_embd.weight", {16, 4}, 0, 0)};
    file.tensors.insert(file.tensors.end(), tensors.begin(), tensors.end());
    file.data = 4096;
    return file;
  }
  Json config(const GgufBytes& file) {
    const GgufFile opened = read(file);
    return gguf_config(opened, gguf_architecture(opened));
  }
  void expect_no_config(const GgufBytes& file, const std::string& message) {
    EXPECT_THAT([&] { config(file); }, ThrowsMessage<DataError>(HasSubstr(message)));
  }
};

TEST_F(GgufConfigTest, IsThatOfADirectory) {
  const Json read_config = config(llama({gguf_u32("llama.context_length", 99), gguf_u32("llama.something", 5),
                                         gguf_u32("tokenizer.ggml.eos_token_id", 3)}));
  EXPECT_EQ(read_config.at("model_type"), "llama");
  EXPECT_EQ(read_config.at("vocab_size"), 4);
  EXPECT_EQ(read_config.at("max_position_embeddings"), 99);
  EXPECT_EQ(read_config.at("rope_theta"), 10000.0);
  EXPECT_EQ(read_config.at("tie_word_embeddings"), true);
  EXPECT_EQ(read_config.at("eos_token_id"), 3);
  EXPECT_EQ(read_config.at("llama.something"), 5);  // not understood: whoever reads the config says so
  EXPECT_EQ(config(llama({}, {gguf_tensor("output.weight", {16, 4}, 0, 256)})).at("tie_word_embeddings"), false);
  EXPECT_EQ(config(llama({}, {gguf_tensor("blk.0.attn_q.bias", {16}, 0, 256)})).at("attention_bias"), true);
}

TEST_F(GgufConfigTest, ALlamaWithAWindowIsAMistral) {
  EXPECT_EQ(config(llama({})).at("model_type"), "llama");
  const Json mistral = config(llama({gguf_u32("llama.attention.sliding_window", 8)}));
  EXPECT_EQ(mistral.at("model_type"), "mistral");
  EXPECT_EQ(mistral.at("sliding_window"), 8);
}

TEST_F(GgufConfigTest, RefusesWhatADirectoryCannotSay) {
  expect_no_config({.items = {gguf_string("general.architecture", "phi3")}}, "is \"phi3\", expected llama, qwen2");
  expect_no_config({.items = {gguf_u32("general.architecture", 1)}}, "general.architecture");
  expect_no_config(llama({gguf_u32("llama.expert_count", 8)}), "llama.expert_count");
  expect_no_config(llama({gguf_u32("llama.rope.dimension_count", 4)}), "expected 8, the size of a head");
  expect_no_config(llama({gguf_u32("llama.attention.value_length", 4)}), "expected 8, as of keys");
  expect_no_config(llama({gguf_string("llama.rope.scaling.type", "longrope")}), "expected none, linear or yarn");
  expect_no_config(llama({}, {gguf_tensor("rope_freqs.weight", {4}, 0, 256)}), "holds other values");  // zeros
  expect_no_config(llama({}, {gguf_tensor("rope_freqs.weight", {3}, 0, 256)}), "is not F32 [4]");
  GgufBytes no_words = llama({});
  no_words.tensors.clear();
  expect_no_config(no_words, "token_embd.weight");
  GgufBytes no_heads = llama({});
  no_heads.items.pop_back();
  expect_no_config(no_heads, "llama.attention.head_count");
}

TEST_F(GgufConfigTest, TokenizersAreChecked) {
  const auto refused = [&](const std::vector<std::string>& items, const std::string& message) {
    const GgufFile file = read(llama(items));
    EXPECT_THAT([&] { gguf_tokenizer_files(file); }, ThrowsMessage<DataError>(HasSubstr(message)));
  };
  const auto texts = [](const std::string& key, const std::vector<std::string>& values) {
    std::string item = gguf_text(key) + le(uint32_t{9}) + le(uint32_t{8}) + le(uint64_t{values.size()});
    for (const std::string& value : values) item += gguf_text(value);
    return item;
  };
  const std::string gpt2 = gguf_string("tokenizer.ggml.model", "gpt2"),
                    tokens = texts("tokenizer.ggml.tokens", {"a", "b"});
  EXPECT_TRUE(gguf_tokenizer_files(read(llama({}))).empty());
  refused({gguf_string("tokenizer.ggml.model", "rwkv")}, "is \"rwkv\", expected gpt2 or llama");
  refused({gpt2}, "tokenizer.ggml.tokens");
  refused({gpt2, tokens}, "tokenizer.ggml.pre");
  refused({gpt2, tokens, gguf_string("tokenizer.ggml.pre", "new")}, "is \"new\", expected gpt-2, ");
  refused({gpt2, tokens, gguf_string("tokenizer.ggml.pre", "gpt-2")}, "tokenizer.ggml.merges");
  refused({gpt2, texts("tokenizer.ggml.tokens", {"a", "a"}), gguf_string("tokenizer.ggml.pre", "gpt-2")},
          "\"a\" occurs twice");
  refused({gpt2, tokens, gguf_u32("tokenizer.ggml.token_type", 1)}, "not an array of 2 numbers");
  refused({gguf_string("tokenizer.ggml.model", "llama"), tokens}, "tokenizer.ggml.scores");
  refused({gpt2, tokens, gguf_string("tokenizer.ggml.pre", "gpt-2"), texts("tokenizer.ggml.merges", {}),
           gguf_u32("tokenizer.ggml.bos_token_id", 2)},
          "tokenizer.ggml.bos_token_id");
}

}  // namespace
}  // namespace roformer::test
