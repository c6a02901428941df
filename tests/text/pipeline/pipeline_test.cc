// Pipelines of every kind of part against Hugging Face's tokenizers (tests/fixtures/README.md), and what they refuse.
#include <nlohmann/json.hpp>

#include "text/pipeline/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "tests/text/tokenizer_files.h"
#include "text/pipeline/load.h"
#include "text/stream_decoder.h"
#include "text/wordpiece/wordpiece.h"

namespace roformer {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr int64_t kMaxFixtureBytes = 1 << 20;
const std::string kPipelines = ROFORMER_SOURCE_DIR "/tests/fixtures/pipelines/";

const Json& pipeline_fixture() {
  static const Json fixture = parse_json(read_file(kPipelines + "expected.json", kMaxFixtureBytes), "expected.json");
  return fixture;
}

std::unique_ptr<Tokenizer> load_pipeline(const TempDirectory& directory, const Json& json,
                                         std::string_view config = "") {
  write_text(directory / "tokenizer.json", json.dump());
  if (!config.empty()) write_text(directory / "tokenizer_config.json", config);
  return load_tokenizer(directory.path());
}

std::unique_ptr<Tokenizer> load_fixture(const TempDirectory& directory, const std::string& name) {
  write_text(directory / "tokenizer.json", read_file(kPipelines + name + ".json", kMaxFixtureBytes));
  return load_tokenizer(directory.path());
}

TEST(PipelineTokenizer, GivesTheIdsOffsetsAndTextsOfTokenizers) {
  const Json& texts = pipeline_fixture()["texts"];
  ASSERT_GT(pipeline_fixture()["expected"].size(), 35u);
  ASSERT_GT(texts.size(), 30u);
  for (const auto& [name, expected] : pipeline_fixture()["expected"].items()) {
    TempDirectory directory;
    const auto tokenizer = load_fixture(directory, name);
    for (size_t i = 0; i < texts.size(); ++i) {
      const auto text = texts[i].get<std::string>();
      const Json& right = expected["texts"][i];
      const Encoding encoding = tokenizer->encode(text);
      std::vector<int64_t> offsets;
      for (const auto& [begin, end] : encoding.offsets) offsets.insert(offsets.end(), {begin, end});
      EXPECT_EQ(encoding.ids, right[0].get<std::vector<int32_t>>()) << name << ": " << quote(text);
      EXPECT_EQ(offsets, right[1].get<std::vector<int64_t>>()) << name << ": " << quote(text);
      EXPECT_EQ(tokenizer->with_specials(tokenizer->encode_plain(text)), encoding.ids) << name;
      if (dynamic_cast<const PipelineTokenizer*>(tokenizer.get()) == nullptr) continue;  // decodes by rules of its own
      EXPECT_EQ(tokenizer->decode(encoding.ids), right[2].get<std::string>()) << name << ": " << quote(text);
      StreamDecoder stream(*tokenizer);
      std::string streamed;
      for (const int32_t id : encoding.ids) streamed += stream.push(id);
      EXPECT_EQ(streamed + stream.finish(), tokenizer->decode(encoding.ids)) << name;
    }
    const Encoding pair = tokenizer->encode("Hello, the", "New York kin");
    EXPECT_EQ(pair.ids, expected["pair"][0].get<std::vector<int32_t>>()) << name;
    EXPECT_EQ(pair.segment_ids, expected["pair"][1].get<std::vector<int32_t>>()) << name;
  }
}

TEST(PipelineTokenizer, SurvivesItsFiles) {
  for (const char* name : {"accents", "words_suffix", "metaspace_never"}) {
    TempDirectory directory, saved;
    const auto original = load_fixture(directory, name);
    original->set_model_max_length(77);
    const auto files = original->files();
    EXPECT_EQ(files.at("tokenizer.json"), read_file(kPipelines + name + ".json", kMaxFixtureBytes));
    EXPECT_FALSE(files.contains("vocab.txt"));
    for (const auto& [file, content] : files) write_text(saved / file, content);
    const auto again = load_tokenizer(saved.path());
    EXPECT_TRUE(again->files() == files) << name;
    EXPECT_EQ(again->model_max_length(), 77);
    EXPECT_EQ(again->type(), original->type());
    const std::string text = "The New York café, banana [MASK] 12!";
    EXPECT_EQ(again->encode(text, "b").ids, original->encode(text, "b").ids) << name;
  }
}

// WordPiece of a few words, with BERT's template.
Json small_pipeline() {
  return Json::parse(R"({
    "truncation": {"max_length": 2, "strategy": "LongestFirst", "stride": 0, "direction": "Right"},
    "padding": {"strategy": {"Fixed": 9}, "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]", "direction": "Right"},
    "added_tokens": [{"id": 0, "content": "[PAD]", "special": true}, {"id": 1, "content": "[UNK]", "special": true},
                     {"id": 2, "content": "[CLS]", "special": true}, {"id": 3, "content": "[SEP]", "special": true},
                     {"id": 4, "content": "[MASK]", "special": true}],
    "normalizer": {"type": "BertNormalizer", "lowercase": true},
    "pre_tokenizer": {"type": "BertPreTokenizer"},
    "post_processor": {"type": "BertProcessing", "cls": ["[CLS]", 2], "sep": ["[SEP]", 3]},
    "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
    "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
              "max_input_chars_per_word": 100,
              "vocab": {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "[MASK]": 4, "a": 5, "b": 6, "##b": 7, "A": 8}}
  })");
}

Json changed(const std::string& pointer, const Json& value) {
  Json json = small_pipeline();
  json[Json::json_pointer(pointer)] = value;
  return json;
}

std::string refusal_of(const Json& json, std::string_view config = "") {
  TempDirectory directory;
  return message_of<DataError>([&] { load_pipeline(directory, json, config); });
}

TEST(JsonTokenizer, KeepsBertsOwnTokenizerForExactlyItsRules) {
  const auto is_bert = [](const Json& json, std::string_view config = "") {
    TempDirectory directory;
    const auto tokenizer = load_pipeline(directory, json, config);
    EXPECT_THAT(tokenizer->encode("A [MASK]ab").ids, testing::SizeIs(testing::Ge(3)));
    return dynamic_cast<WordPieceTokenizer*>(tokenizer.get()) != nullptr;
  };
  EXPECT_TRUE(is_bert(small_pipeline()));
  EXPECT_TRUE(is_bert(small_pipeline(), R"({"tokenizer_class": "PreTrainedTokenizerFast"})"));
  EXPECT_FALSE(is_bert(changed("/normalizer/clean_text", false)));
  EXPECT_FALSE(is_bert(changed("/normalizer", {{"type", "Lowercase"}})));
  EXPECT_FALSE(is_bert(changed("/pre_tokenizer", {{"type", "Whitespace"}})));
  EXPECT_FALSE(is_bert(changed("/model/max_input_chars_per_word", 50)));
  EXPECT_FALSE(is_bert(changed("/post_processor", nullptr)));
  EXPECT_FALSE(is_bert(changed("/post_processor/cls/1", 3)));
  EXPECT_FALSE(is_bert(small_pipeline(), R"({"tokenizer_class": "TokenizersBackend", "add_bos_token": false})"));
}

// The file has the say also beside a vocabulary, unless a class with rules of its own is named.
TEST(JsonTokenizer, IsTheAuthorityBesideAVocabulary) {
  TempDirectory directory;
  write_text(directory / "vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nx\na\n");
  const auto ids = [&](std::string_view config) {
    return load_pipeline(directory, changed("/normalizer/lowercase", false), config)->encode("a A").ids;
  };
  EXPECT_THAT(ids("{}"), ElementsAre(2, 5, 8, 3));
  EXPECT_THAT(ids(R"({"tokenizer_class": "PreTrainedTokenizerFast"})"), ElementsAre(2, 5, 8, 3));
  EXPECT_THAT(ids(R"({"tokenizer_class": "TokenizersBackend", "do_lower_case": true})"), ElementsAre(2, 5, 8, 3));
  EXPECT_THAT(ids(R"({"do_lower_case": true})"), ElementsAre(2, 5, 5, 3));
  EXPECT_THAT(ids(R"({"tokenizer_class": "BertTokenizer"})"), ElementsAre(2, 5, 5, 3));
}

// transformers reads objects in tokenizer_config.json only with their type.
TEST(JsonTokenizer, SavesObjectsOfTheSpecialTokensMapWithTheirType) {
  TempDirectory directory;
  write_text(directory / "special_tokens_map.json",
             R"({"mask_token": {"content": "[MASK]", "lstrip": true}, "pad_token": "[PAD]",
                 "additional_special_tokens": [{"content": "<e>"}, "<f>"]})");
  const auto files = load_pipeline(directory, changed("/normalizer", {{"type", "Lowercase"}}))->files();
  const Json config = Json::parse(files.at("tokenizer_config.json"));
  EXPECT_EQ(config["mask_token"], Json::parse(R"({"content": "[MASK]", "lstrip": true, "__type": "AddedToken"})"));
  EXPECT_EQ(config["pad_token"], "[PAD]");
  EXPECT_EQ(config["additional_special_tokens"], Json::parse(R"([{"content": "<e>", "__type": "AddedToken"}, "<f>"])"));
}

// As transformers 5.23 saves T5Tokenizer and LlamaTokenizer after add_tokens(["qq"]); the ids are its own.
TEST(JsonTokenizer, OfASentencePieceClassMayBeAnyPipeline) {
  const Json t5 = Json::parse(R"({
    "added_tokens": [{"id": 0, "content": "<pad>", "special": true}, {"id": 1, "content": "</s>", "special": true},
                     {"id": 2, "content": "<unk>", "special": true},
                     {"id": 7, "content": "qq", "normalized": true, "special": false}],
    "normalizer": null,
    "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"},
        {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true}]},
    "post_processor": {"type": "TemplateProcessing",
        "single": [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}},
                 {"Sequence": {"id": "B", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}],
        "special_tokens": {"</s>": {"id": "</s>", "ids": [1], "tokens": ["</s>"]}}},
    "decoder": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true},
    "model": {"type": "Unigram", "unk_id": 2, "byte_fallback": false, "vocab": [["<pad>", 0], ["</s>", 0],
        ["<unk>", 0], ["▁", -2], ["▁a", -1], ["b", -1.5], ["▁ab", -1.25]]}})");
  TempDirectory directory, copy;
  for (const char* name : {"T5Tokenizer", "T5TokenizerFast"}) {
    const auto tokenizer = load_pipeline(directory, t5, fmt::format(R"({{"tokenizer_class": "{}"}})", name));
    EXPECT_THAT(tokenizer->encode("a  ab qq b").ids, ElementsAre(4, 6, 7, 3, 5, 1));
    EXPECT_THAT(tokenizer->encode("a", "ab").ids, ElementsAre(4, 1, 6, 1));
    EXPECT_EQ(tokenizer->tokenizer_class(), name);
    for (const auto& [file, content] : tokenizer->files()) write_text(copy / file, content);
    EXPECT_EQ(load_tokenizer(copy.path())->files(), tokenizer->files());
  }
  Json llama = t5;
  llama["pre_tokenizer"] = t5["pre_tokenizer"]["pretokenizers"][1];
  llama["post_processor"] = nullptr;
  llama["model"] = Json::parse(R"({"type": "BPE", "unk_token": "<unk>", "fuse_unk": true, "merges": [["▁", "a"]],
      "vocab": {"<pad>": 0, "</s>": 1, "<unk>": 2, "▁": 3, "▁a": 4, "b": 5, "a": 6}})");
  const auto tokenizer = load_pipeline(directory, llama, R"({"tokenizer_class": "LlamaTokenizer"})");
  EXPECT_THAT(tokenizer->encode("ab qqb").ids, ElementsAre(4, 5, 3, 7, 3, 5));
  EXPECT_THAT(message_of<DataError>([&] { load_pipeline(directory, t5, R"({"tokenizer_class": "XGLMTokenizer"})"); }),
              HasSubstr("expected LlamaTokenizer, T5Tokenizer"));
}

TEST(JsonTokenizer, MayLackSpecialTokens) {
  Json json = changed("/post_processor", nullptr);
  json["added_tokens"] = Json::array();
  json["pre_tokenizer"] = nullptr;
  TempDirectory directory;
  const auto tokenizer = load_pipeline(directory, json);
  EXPECT_THAT(tokenizer->encode("ab", "b").ids, ElementsAre(5, 7, 6));
  EXPECT_THAT(tokenizer->encode("ab", "b").segment_ids, ElementsAre(0, 0, 1));
  EXPECT_THAT(tokenizer->encode("ab", "b", 2).ids, ElementsAre(5, 6));
  EXPECT_FALSE(tokenizer->has_mask());
  EXPECT_FALSE(tokenizer->has(SpecialToken::unk));
  EXPECT_THAT(message_of<DataError>([&] { tokenizer->cls_id(); }), HasSubstr("no cls token"));
  EXPECT_THAT(message_of<DataError>([&] { tokenizer->mask_id(); }), HasSubstr("no mask token"));
  // Named ones count, and are added where the vocabulary lacks them.
  const auto named =
      load_pipeline(directory, json, R"({"bos_token": "a", "mask_token": "<m>", "add_bos_token": true})");
  EXPECT_EQ(named->cls_id(), 5);
  EXPECT_EQ(named->sep_id(), 5);
  EXPECT_EQ(named->mask_id(), 9);
  EXPECT_THAT(named->encode("b<m>", "b").ids, ElementsAre(5, 6, 9, 5, 6));
}

TEST(JsonTokenizer, TemplatesMayHaveAnyTokensAndSegments) {
  const Json a = {{"Sequence", {{"id", "A"}, {"type_id", 0}}}}, b = {{"Sequence", {{"id", "B"}, {"type_id", 3}}}};
  const Json special = {{"SpecialToken", {{"id", "both"}, {"type_id", 2}}}};
  const Json processor = {{"type", "TemplateProcessing"},
                          {"single", {a, special}},
                          {"pair", {special, b, a}},
                          {"special_tokens", {{"both", {{"id", "both"}, {"ids", {3, 2}}, {"tokens", {"x", "y"}}}}}}};
  TempDirectory directory;
  const auto tokenizer = load_pipeline(directory, changed("/post_processor", processor));
  EXPECT_THAT(tokenizer->encode("a").ids, ElementsAre(5, 3, 2));
  EXPECT_THAT(tokenizer->with_specials({5}), ElementsAre(5, 3, 2));
  EXPECT_THAT(tokenizer->encode("a", "b b").ids, ElementsAre(3, 2, 6, 6, 5));
  EXPECT_THAT(tokenizer->encode("a", "b b").segment_ids, ElementsAre(2, 2, 3, 3, 0));
  EXPECT_THAT(tokenizer->encode("a", "b b", 4).ids, ElementsAre(3, 2, 6, 5));
  EXPECT_THAT(message_of<UsageError>([&] { tokenizer->encode("a", "b", 1); }), HasSubstr("2 special tokens"));
}

TEST(JsonTokenizer, WhatIsNotSupportedIsRefusedByName) {
  const Json sequence = {{"type", "Sequence"}, {"normalizers", {{{"type", "NFC"}}, {{"type", "Nmt"}}}}};
  const std::vector<std::tuple<const char*, Json, const char*>> cases = {
      {"/normalizer", {{"type", "Nmt"}}, "'normalizer': the normalizer \"Nmt\" is not supported, expected NFC"},
      {"/normalizer", sequence, "'normalizer.normalizers[1]': the normalizer \"Nmt\" is not supported"},
      {"/normalizer", {{"type", "Precompiled"}, {"precompiled_charsmap", ""}}, "the normalizer \"Precompiled\""},
      {"/normalizer",
       {{"type", "Replace"}, {"pattern", {{"Regex", "(a"}}}, {"content", ""}},
       "'normalizer': 'pattern': \"(a\" is not a regular expression: end pattern with unmatched parenthesis"},
      {"/normalizer", {{"type", "Replace"}, {"pattern", "a"}, {"content", ""}}, "'pattern' is \"a\", expected"},
      {"/normalizer", {{"type", "Prepend"}}, "'prepend' is missing"},
      {"/pre_tokenizer", {{"type", "UnicodeScripts"}}, "the pre-tokenizer \"UnicodeScripts\""},
      {"/pre_tokenizer", {{"type", "Punctuation"}, {"behavior", "Gone"}}, "'behavior' is \"Gone\", expected Removed"},
      {"/pre_tokenizer", {{"type", "Metaspace"}, {"replacement", "ab"}}, "'replacement' is \"ab\", expected one"},
      {"/pre_tokenizer", {{"type", "Metaspace"}, {"prepend_scheme", "last"}}, "expected always, first or never"},
      {"/pre_tokenizer", {{"kind", "x"}}, "'type' is missing"},
      {"/pre_tokenizer", 7, "'pre_tokenizer' is 7, expected an object"},
      {"/post_processor", {{"type", "Other"}}, "the post-processor \"Other\" is not supported"},
      {"/post_processor",
       {{"type", "Sequence"}, {"processors", {{{"type", "ByteLevel"}}, {{"type", "ByteLevel"}}}}},
       "'trim_offsets'"},
      {"/decoder",
       {{"type", "Sequence"}, {"decoders", {{{"type", "ByteLevel"}}, {{"type", "ByteFallback"}}}}},
       "expected behind ByteLevel nothing but Fuse"},
      {"/post_processor/cls", Json({"[CLS]", 99}), "has the id 99, expected one below 9"},
      {"/post_processor",
       {{"type", "TemplateProcessing"}, {"single", Json::array()}, {"pair", Json::array()}},
       "expected the sequence A once"},
      {"/decoder", {{"type", "CTC"}}, "the decoder \"CTC\" is not supported"},
      {"/model/type", "GPT", "'type' is \"GPT\", expected WordPiece, BPE, Unigram or WordLevel"},
      {"/model/unk_token", "x", "'unk_token' is \"x\", expected a token of the vocabulary"},
      {"/model",
       {{"type", "BPE"}, {"dropout", 0.1}, {"vocab", {{"a", 0}}}, {"merges", Json::array()}},
       "'dropout' is 0.1"},
      {"/model", {{"type", "BPE"}, {"vocab", {{"a", 0}}}, {"merges", {"a b"}}}, "the merge \"a b\" does not join"},
  };
  for (const auto& [pointer, value, message] : cases) {
    Json json = changed(pointer, value);
    if (std::string_view(pointer) == "/model") json["added_tokens"] = Json::array();
    EXPECT_THAT(refusal_of(json), HasSubstr(message)) << pointer << " " << value;
    EXPECT_THAT(refusal_of(json), HasSubstr("tokenizer.json")) << pointer;
  }
}

TEST(JsonTokenizer, ExpressionsThatTakeTooMuchAreErrors) {
  const auto with = [](const std::string& expression) {
    return changed(
        "/pre_tokenizer",
        {{"type", "Split"}, {"pattern", {{"Regex", expression}}}, {"behavior", "Isolated"}, {"invert", false}});
  };
  TempDirectory directory;
  const auto tokenizer = load_pipeline(directory, with("(x+x+)+y"));
  EXPECT_THAT(message_of<DataError>([&] { tokenizer->encode(std::string(60, 'x')); }),
              HasSubstr("\"(x+x+)+y\" fails in a text of 60 bytes"));
  EXPECT_THAT(refusal_of(with(std::string(1000, '(') + std::string(1000, ')'))), HasSubstr("parse depth limit over"));
  EXPECT_THAT(refusal_of(with(std::string(70'000, 'a'))), HasSubstr("an expression of 70000 bytes"));
}

}  // namespace
}  // namespace roformer
