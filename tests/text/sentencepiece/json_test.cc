// tokenizer.json with a BPE or Unigram model: against the ids of Hugging Face's tokenizers (tests/fixtures/README.md).
#include <nlohmann/json.hpp>

#include "text/sentencepiece/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "tests/text/tokenizer_files.h"
#include "text/sentencepiece/tokenizer.h"

namespace roformer {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr int64_t kMaxBytes = 1 << 20;

std::string fixture(const std::string& name) { return ROFORMER_SOURCE_DIR "/tests/fixtures/tokenizer_json/" + name; }

class TokenizerJson : public testing::TestWithParam<const char*> {
 protected:
  std::unique_ptr<Tokenizer> tokenizer_ = load_tokenizer(fixture(GetParam()));
  Json expected_ = parse_json(read_file(fixture(GetParam()) + "/expected.json", kMaxBytes), "expected.json");
};
INSTANTIATE_TEST_SUITE_P(, TokenizerJson,
                         testing::Values("llama", "llama_first", "bpe_words", "bpe_bare", "unigram", "unigram_words"),
                         [](const auto& test) { return std::string(test.param); });

TEST_P(TokenizerJson, GivesTheIdsOfTokenizers) {
  ASSERT_GT(expected_["single"].size(), 50u);
  for (const Json& entry : expected_["single"]) {
    const auto text = entry[0].get<std::string>();
    EXPECT_EQ(tokenizer_->encode(text).ids, entry[1].get<std::vector<int32_t>>()) << quote(text);
  }
  for (const Json& entry : expected_["pair"]) {
    EXPECT_EQ(tokenizer_->encode(entry[0].get<std::string>(), entry[1].get<std::string>()).ids,
              entry[2].get<std::vector<int32_t>>());
  }
}

TEST_P(TokenizerJson, SurvivesItsFiles) {
  TempDirectory saved;
  const auto files = tokenizer_->files();
  EXPECT_EQ(files.at("tokenizer.json"), read_file(fixture(GetParam()) + "/tokenizer.json", kMaxBytes));
  EXPECT_FALSE(files.contains("tokenizer.model"));
  for (const auto& [name, content] : files) write_text(saved / name, content);
  const auto again = load_tokenizer(saved.path());
  EXPECT_TRUE(again->files() == files);
  EXPECT_EQ(again->encode("the<s> earth", "b").ids, tokenizer_->encode("the<s> earth", "b").ids);
}

TEST(TokenizerJsonText, ComesBack) {
  const auto llama = load_tokenizer(fixture("llama"));
  EXPECT_EQ(llama->type(), "bpe");
  for (const std::string text : {"the earth", "  two", "\U0001F600\n", "a王 "}) {
    EXPECT_EQ(llama->decode(llama->encode(text).ids), text);
  }
  EXPECT_EQ(llama->cls_id(), 1);
  EXPECT_EQ(llama->sep_id(), 2);
  EXPECT_FALSE(llama->has_mask());
  EXPECT_EQ(load_tokenizer(fixture("unigram"))->type(), "unigram");
}

// tokenizer_config.json defines the special tokens and, optionally, their template.
TEST(TokenizerJsonText, TheConfigOverrulesTheTemplate) {
  TempDirectory directory;
  write_text(directory / "tokenizer.json", read_file(fixture("llama") + "/tokenizer.json", kMaxBytes));
  const auto with = [&](std::string_view config) {
    write_text(directory / "tokenizer_config.json", config);
    return load_tokenizer(directory.path());
  };
  const auto plain = with("{}")->encode_plain("the");
  ASSERT_EQ(plain.size(), 1u);
  EXPECT_THAT(with("{}")->encode("the").ids, ElementsAre(1, plain[0]));
  EXPECT_THAT(with(R"({"tokenizer_class": "LlamaTokenizerFast", "add_eos_token": true})")->encode("the").ids,
              ElementsAre(1, plain[0], 2));
  EXPECT_THAT(with(R"({"tokenizer_class": "LlamaTokenizer", "add_bos_token": false})")->encode("the").ids,
              ElementsAre(plain[0]));
  EXPECT_THAT(with(R"({"tokenizer_class": "LlamaTokenizer"})")->encode("the", "the").ids,
              ElementsAre(1, plain[0], 1, plain[0]));
  EXPECT_THAT(with(R"({"tokenizer_class": "TokenizersBackend"})")->encode("the").ids, ElementsAre(1, plain[0]));
  EXPECT_EQ(with(R"({"pad_token": "<x>"})")->token(with(R"({"pad_token": "<x>"})")->pad_id()), "<x>");
  EXPECT_THAT(message_of<DataError>([&] { with(R"({"tokenizer_class": "BertTokenizer"})"); }),
              HasSubstr("expected LlamaTokenizer"));
  // A tokenizer.model beside it counts for a class with rules of its own.
  SentencePieceModel model;
  model.pieces = {"<unk>", "<s>", "</s>", "t", "h", "e"};
  model.types.assign(model.pieces.size(), SentencePieceModel::Type::normal);
  model.types[0] = SentencePieceModel::Type::unknown;
  model.scores.assign(model.pieces.size(), 0);
  write_text(directory / "tokenizer.model", write_sentencepiece_model(model));
  EXPECT_EQ(with(R"({"tokenizer_class": "LlamaTokenizer"})")->vocabulary_size(), 7);  // and <x>
  EXPECT_THAT(with("{}")->encode("the").ids, ElementsAre(1, plain[0]));
}

// A minimal file with one change.
Json small_file() {
  return Json::parse(R"({
    "added_tokens": [{"id": 0, "content": "<unk>", "special": true}, {"id": 1, "content": "<s>", "special": true}],
    "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
    "pre_tokenizer": null,
    "post_processor": null,
    "decoder": null,
    "model": {"type": "BPE", "unk_token": "<unk>", "fuse_unk": true, "byte_fallback": false,
              "vocab": {"<unk>": 0, "<s>": 1, "a": 2, "b": 3, "ab": 4}, "merges": [["a", "b"]]}})");
}

std::string refusal(const std::string& pointer, const Json& value) {
  Json json = small_file();
  json[Json::json_pointer(pointer)] = value;
  return message_of<DataError>([&] { read_fast_sentencepiece(JsonObject(json, "t.json")); });
}

TEST(TokenizerJsonFile, WhatIsNotUnderstoodIsRefused) {
  EXPECT_EQ(refusal("/version", "1.0"), "");
  const std::vector<std::tuple<const char*, Json, const char*>> cases = {
      {"/model/dropout", 0.1, "'dropout' is 0.1, expected none"},
      {"/model/continuing_subword_prefix", "##", "'continuing_subword_prefix' is \"##\", expected none"},
      {"/model/end_of_word_suffix", "</w>", "'end_of_word_suffix'"},
      {"/model/ignore_merges", true, "'ignore_merges' is true, expected none"},
      {"/model/fuse_unk", false, "'fuse_unk' is false, expected true, or byte_fallback"},
      {"/model/byte_fallback", true, "byte_fallback, but byte pieces for 0 of 256 bytes only"},
      {"/model/unk_token", nullptr, "'unk_token' is missing"},
      {"/model/unk_token", "<pad>", "'unk_token' is \"<pad>\", expected a token of the vocabulary"},
      {"/model/unk_token", "a", "\"a\" is not among the added tokens"},
      {"/model/merges", nullptr, "'merges' is missing, expected an array"},
      {"/model/merges", Json::array(), "0 merges"},
      {"/model/merges", Json({"a b c"}), "\"a b c\" is not a merge"},
      {"/model/merges", Json({"ab"}), "\"ab\" is not a merge"},
      {"/model/merges", Json({Json({"a", "b"}), "a b"}), "the merge \"a b\" occurs twice"},
      {"/model/merges", Json({"b a"}), "the merge \"b a\" does not join two tokens"},
      {"/model/vocab", Json({{"<unk>", 0}, {"a", 2}}), "no token has the id 1"},
      {"/normalizer", {{"type", "Precompiled"}, {"precompiled_charsmap", ""}}, "spiece.model"},
      {"/normalizer", {{"type", "NFKC"}}, "expected Prepend, then Replace of a space"},
      {"/normalizer", nullptr, "'pre_tokenizer' is null, expected Metaspace"},
      {"/normalizer/content", "_", "'content' is \"_\", expected \"▁\""},
      {"/normalizer/pattern", {{"Regex", " {2,}"}}, "'pattern' is {\"Regex\":\" {2,}\"}"},
      {"/pre_tokenizer", {{"type", "Metaspace"}}, "expected none after such a normalizer"},
      {"/pre_tokenizer", {{"type", "ByteLevel"}}, "'pre_tokenizer' is {\"type\":\"ByteLevel\"}"},
      {"/post_processor", {{"type", "RobertaProcessing"}}, "expected TemplateProcessing"},
      {"/post_processor",
       {{"type", "TemplateProcessing"}, {"single", Json::array()}, {"pair", Json::array()}},
       "expected one text, and two"},
      {"/added_tokens/0/normalized", true, "found in the normalized text"},
  };
  for (const auto& [pointer, value, message] : cases) {
    EXPECT_THAT(refusal(pointer, value), HasSubstr(message)) << pointer << " " << value;
    EXPECT_THAT(refusal(pointer, value), testing::StartsWith("t.json: ")) << pointer;
  }
}

// The ids of `text` by a file with this model and pre-tokenizer (null: "Replace" in its place).
std::vector<int32_t> ids_of(const Json& model, const Json& pre_tokenizer, const std::string& text) {
  Json json = small_file();
  json["model"] = model;
  json["pre_tokenizer"] = pre_tokenizer;
  if (!pre_tokenizer.is_null()) json["normalizer"] = nullptr;
  TempDirectory directory;
  write_text(directory / "tokenizer.json", json.dump());
  return load_tokenizer(directory.path())->encode_plain(text);
}

// transformers' LlamaTokenizer takes it from the configuration alone.
TEST(TokenizerJsonFile, ACopySaysThatNoSpaceIsAdded) {
  TempDirectory directory;
  write_text(directory / "tokenizer_config.json", R"({"tokenizer_class": "LlamaTokenizer", "bos_token": "<s>"})");
  const auto saved = [&](const char* scheme) {
    Json json = small_file();
    json["normalizer"] = nullptr;
    json["pre_tokenizer"] = {{"type", "Metaspace"}, {"prepend_scheme", scheme}, {"split", false}};
    write_text(directory / "tokenizer.json", json.dump());
    return Json::parse(load_tokenizer(directory.path())->files().at("tokenizer_config.json"));
  };
  EXPECT_EQ(saved("never").at("add_prefix_space"), false);
  EXPECT_FALSE(saved("first").contains("add_prefix_space"));
}

TEST(TokenizerJsonFile, SplitWordsAreCutAlone) {
  const Json across = Json::parse(R"({"type": "BPE", "unk_token": "<unk>", "fuse_unk": true, "merges": ["a ▁"],
                                      "vocab": {"<unk>": 0, "<s>": 1, "a": 2, "b": 3, "▁": 4, "a▁": 5}})");
  const Json split = {{"type", "Metaspace"}, {"prepend_scheme", "always"}, {"split", true}};
  const Json whole = {{"type", "Metaspace"}, {"prepend_scheme", "always"}, {"split", false}};
  EXPECT_THAT(ids_of(across, split, "a b"), ElementsAre(4, 2, 4, 3));
  EXPECT_THAT(ids_of(across, whole, "a b"), ElementsAre(4, 5, 3));
  const Json letters = small_file()["model"];
  EXPECT_THAT(ids_of(letters, split, "x yz"), ElementsAre(0, 0));
  EXPECT_THAT(ids_of(letters, whole, "x yz"), ElementsAre(0));
}

TEST(TokenizerJsonFile, SumsOfScores) {
  const auto ids = [](const Json& vocabulary, const std::string& text) {
    return ids_of({{"type", "Unigram"}, {"unk_id", 0}, {"vocab", vocabulary}}, nullptr, text);
  };
  const Json head = Json::parse(R"([["<unk>", 0], ["<s>", 0]])");
  const auto with = [&](std::vector<std::pair<std::string, double>> pieces) {
    Json all = head;
    for (const auto& [piece, score] : pieces) all.push_back({piece, score});
    return all;
  };
  // In float32 the first two also sum to -1.
  EXPECT_THAT(ids(with({{"a", 0x1p-30}, {"b", -1}, {"c", 0}, {"abc", -1}}), "abc"), ElementsAre(2, 3, 4));
  EXPECT_THAT(ids(with({{"a", -1}, {"b", -1}, {"ab", -2}}), "ab"), ElementsAre(4));  // on ties, the first to end
  // A character without a piece costs 10 more than the worst: -18 + 0 here, against -8 - 8.
  EXPECT_THAT(ids(with({{"a", -8}, {"b", -8}, {"xa", -8}, {"ab", 0}}), "xab"), ElementsAre(4, 3));
}

TEST(TokenizerJsonFile, UnigramScoresAreSentencePieces) {
  const auto with = [&](const Json& model) { return refusal("/model", model); };
  const Json good = Json::parse(R"({"type": "Unigram", "unk_id": 0, "byte_fallback": false,
                                    "vocab": [["<unk>", 0], ["<s>", 0], ["a", -1.5], ["b", -2]]})");
  const auto change = [&](const std::string& pointer, const Json& value) {
    Json model = good;
    model[Json::json_pointer(pointer)] = value;
    return with(model);
  };
  EXPECT_EQ(with(good), "");
  EXPECT_THAT(change("/vocab/2/1", 0.1), HasSubstr("the score of \"a\" is 0.1, expected a float32 value"));
  EXPECT_THAT(change("/vocab/2/1", 1e300), HasSubstr("float32"));
  EXPECT_THAT(change("/vocab/0/1", -9), HasSubstr("the unknown token has the lowest score"));
  EXPECT_THAT(change("/vocab/2", Json({"a"})), HasSubstr("is not a piece with a score"));
  EXPECT_THAT(change("/vocab/3/0", "a"), HasSubstr("pieces 2 and 3 are both \"a\""));
  EXPECT_THAT(change("/vocab/3/0", ""), HasSubstr("piece"));
  EXPECT_THAT(change("/vocab", Json::array()), HasSubstr("0 pieces"));
  EXPECT_THAT(change("/unk_id", 4), HasSubstr("'unk_id' is 4, expected an integer from 0 to 3"));
  EXPECT_THAT(change("/unk_id", nullptr), HasSubstr("'unk_id' is missing"));
  EXPECT_THAT(change("/byte_fallback", true), HasSubstr("only BPE's is supported"));
}

}  // namespace
}  // namespace roformer
