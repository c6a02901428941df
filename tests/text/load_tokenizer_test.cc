#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/text/tokenizer_files.h"
#include "text/char_tokenizer.h"
#include "text/wordpiece/wordpiece.h"

namespace roformer {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::string_view kSpecials = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";

std::string load_error(std::string_view vocabulary, std::string_view config = "") {
  TempDirectory directory;
  return message_of<DataError>([&] { make_tokenizer(directory, vocabulary, config); });
}

void write_files(const Tokenizer& tokenizer, const TempDirectory& directory) {
  for (const auto& [name, content] : tokenizer.files()) write_text(directory / name, content);
}

TEST(LoadTokenizer, MissingFilesAreFileErrors) {
  TempDirectory directory;
  EXPECT_THAT(message_of<FileError>([&] { load_tokenizer(directory / "nowhere"); }), HasSubstr("nowhere"));
  EXPECT_THAT(message_of<FileError>([&] { load_tokenizer("junnyu/roformer_chinese_base"); }),
              HasSubstr("hf download junnyu/roformer_chinese_base"));
  EXPECT_THAT(message_of<FileError>([&] { load_tokenizer(directory.path()); }), HasSubstr("vocab.txt"));
  std::filesystem::create_directory(directory / "vocab.txt");
  EXPECT_THAT(message_of<FileError>([&] { load_tokenizer(directory.path()); }), HasSubstr("is a directory"));
}

TEST(LoadTokenizer, BadVocabulariesAreRefused) {
  EXPECT_THAT(load_error(""), HasSubstr("no tokens"));
  EXPECT_THAT(load_error(std::string(kSpecials) + "a\n\xFF\n"), HasSubstr("vocab.txt:7: not valid UTF-8"));
  EXPECT_THAT(load_error("[PAD]\n[CLS]\n[SEP]\na\n"), HasSubstr(R"(missing from the vocabulary: "[UNK]", "[MASK]")"));
  EXPECT_THAT(load_error(std::string_view("a\0b\n", 4)), HasSubstr("vocab.txt:1: holds a NUL"));
}

TEST(LoadTokenizer, BadConfigsAreRefused) {
  EXPECT_THAT(load_error(kTinyVocabulary, "{"), HasSubstr("tokenizer_config.json"));
  EXPECT_THAT(load_error(kTinyVocabulary, "[]"), HasSubstr("expected an object"));
  EXPECT_THAT(load_error(kTinyVocabulary, R"({"do_lower_case": "yes"})"), HasSubstr("'do_lower_case' is \"yes\""));
  EXPECT_THAT(load_error(kTinyVocabulary, R"({"strip_accents": 1})"), HasSubstr("'strip_accents' is 1"));
  EXPECT_THAT(load_error(kTinyVocabulary, R"({"unk_token": 7})"), HasSubstr("'unk_token' is 7"));
  EXPECT_THAT(load_error(kTinyVocabulary, R"({"unk_token": {"text": "a"}})"), HasSubstr("content"));
  EXPECT_THAT(load_error(kTinyVocabulary, R"({"unk_token": ""})"), HasSubstr("missing"));
  EXPECT_THAT(load_error(kTinyVocabulary, R"({"tokenizer_class": "GPT2Tokenizer"})"), HasSubstr("GPT2Tokenizer"));
  EXPECT_THAT(load_error(kTinyVocabulary, R"({"tokenizer_class": "RoFormerNativeByteTokenizer"})"),
              HasSubstr("<0x00>"));
}

TEST(LoadTokenizer, SpecialTokensMayHaveOtherNamesAndIds) {
  TempDirectory directory;
  const auto tokenizer =
      make_tokenizer(directory, "a\n</s>\n<s>\n<pad>\nb\n<unk>\n<mask>\n",
                     R"({"pad_token": "<pad>", "unk_token": {"content": "<unk>", "lstrip": false}, "cls_token": "<s>",
                         "sep_token": "</s>", "mask_token": "<mask>", "model_max_length": 512})");
  EXPECT_THAT(tokenizer->encode("a<mask>c").ids, ElementsAre(2, 0, 6, 5, 1));
  EXPECT_EQ(tokenizer->pad_id(), 3);
  EXPECT_EQ(tokenizer->model_max_length(), 512);
}

TEST(LoadTokenizer, TheLimitHasAnOldName) {
  TempDirectory directory;
  EXPECT_EQ(make_tokenizer(directory, kTinyVocabulary, R"({"max_len": 9})")->model_max_length(), 9);
  EXPECT_EQ(make_tokenizer(directory, kTinyVocabulary, R"({"max_len": 9, "model_max_length": 12})")->model_max_length(),
            12);
}

TEST(LoadTokenizer, WindowsLineEndsAndByteOrderMarkDoNotMatter) {
  TempDirectory directory;
  const auto tokenizer = make_tokenizer(directory, "\xEF\xBB\xBF[PAD]\r\n[UNK]\r\n[CLS]\r\n[SEP]\r\n[MASK]\r\na");
  EXPECT_EQ(tokenizer->pad_id(), 0);
  EXPECT_THAT(tokenizer->encode_plain("a"), ElementsAre(5));
}

TEST(LoadTokenizer, FilesLoadAsTheSameTokenizer) {
  TempDirectory first, second;
  const auto original = make_tokenizer(first, kTinyVocabulary,
                                       R"({"do_lower_case": false, "strip_accents": true, "model_max_length": 1e30})");
  write_files(*original, second);
  const auto copy = load_tokenizer(second.path());
  EXPECT_EQ(copy->files(), original->files());
  EXPECT_EQ(copy->files().at("vocab.txt"), kTinyVocabulary);
  const auto config = nlohmann::json::parse(copy->files().at("tokenizer_config.json"));
  EXPECT_EQ(config["tokenizer_class"], "BertTokenizer");
  EXPECT_EQ(config["do_lower_case"], false);
  EXPECT_EQ(config["strip_accents"], true);
  EXPECT_EQ(config["mask_token"], "[MASK]");
  EXPECT_FALSE(config.contains("model_max_length"));
}

TEST(LoadTokenizer, TruncationMayDropTheStart) {
  TempDirectory first, second;
  const auto tokenizer = make_tokenizer(first, kTinyVocabulary, R"({"truncation_side": "left"})");
  write_files(*tokenizer, second);
  const auto copy = load_tokenizer(second.path());
  for (const Tokenizer* each : {tokenizer.get(), copy.get()}) {
    const Encoding one = each->encode("hello world a", std::nullopt, 4);
    EXPECT_THAT(one.ids, ElementsAre(2, 6, 12, 3));
    EXPECT_THAT(one.offsets[1], ElementsAre(6, 11));
    EXPECT_THAT(each->encode("hello world a i", "un hello", 7).ids, ElementsAre(2, 12, 16, 3, 7, 5, 3));
    EXPECT_THAT(each->encode("hello", std::nullopt, 4).ids, ElementsAre(2, 5, 3));
  }
  EXPECT_THAT(load_error(kTinyVocabulary, R"({"truncation_side": "both"})"),
              HasSubstr("'truncation_side' is \"both\", expected right or left"));
}

// A tokenizer as saved by transformers 5: everything in tokenizer.json.
TEST(LoadTokenizer, ReadsTheWordPieceOfATokenizerJson) {
  const std::string good = R"({"model": {"type": "WordPiece", "continuing_subword_prefix": "##", "vocab":
      {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "[MASK]": 4, "É": 6, "a": 5}},
    "normalizer": {"type": "BertNormalizer", "lowercase": false, "strip_accents": null},
    "pre_tokenizer": {"type": "BertPreTokenizer"}, "added_tokens": [{"id": 4, "content": "[MASK]"}]})";
  TempDirectory directory;
  write_text(directory / "tokenizer.json", good);
  EXPECT_THAT(load_tokenizer(directory.path())->encode_plain("a É A"), ElementsAre(5, 6, 1));

  const auto error_with = [&](std::string_view from, std::string_view to) {
    std::string bad = good;
    bad.replace(bad.find(from), from.size(), to);
    write_text(directory / "tokenizer.json", bad);
    return message_of<DataError>([&] { load_tokenizer(directory.path()); });
  };
  EXPECT_THAT(error_with(R"("a": 5)", R"("a": 6)"), HasSubstr("the one of"));
  EXPECT_THAT(error_with(R"("a": 5)", R"("a": 99999999999)"), HasSubstr("99999999999"));
  EXPECT_THAT(error_with(R"("a": 5)", R"("a": -1)"), HasSubstr("-1"));
  EXPECT_THAT(error_with(R"({"id": 4)", R"({"id": -4)"), HasSubstr("'id' is -4"));
  EXPECT_THAT(error_with(R"({"id": 4)", R"({"lstrip": 1, "id": 4)"), HasSubstr("'lstrip' is 1"));
  EXPECT_THAT(error_with(R"([{"id": 4, "content": "[MASK]"}])", "[1]"), HasSubstr("expected an object"));
}

// files() equals transformers' output up to the order of keys.
TEST(LoadTokenizer, TokenizerJsonAloneIsTheSameTokenizer) {
  TempDirectory first, second;
  const auto original =
      make_tokenizer(first, std::string(kTinyVocabulary) + "\"\\\x01é\n",
                     R"({"do_lower_case": false, "strip_accents": true, "tokenize_chinese_chars": false})");
  const std::string content = original->files().at("tokenizer.json");
  write_text(second / "tokenizer.json", content);
  const auto copy = load_tokenizer(second.path());
  EXPECT_EQ(copy->files(), original->files());
  const auto json = nlohmann::json::parse(content);
  EXPECT_EQ(json["normalizer"], nlohmann::json::parse(R"({"type": "BertNormalizer", "clean_text": true,
      "handle_chinese_chars": false, "strip_accents": true, "lowercase": false})"));
  EXPECT_EQ(json["added_tokens"][4], nlohmann::json::parse(R"({"id": 4, "content": "[MASK]", "single_word": false,
      "lstrip": false, "rstrip": false, "normalized": false, "special": true})"));
  EXPECT_EQ(json["post_processor"]["special_tokens"]["[SEP]"]["ids"], nlohmann::json::array({3}));
  EXPECT_EQ(json["model"]["vocab"].size(), 19u);
}

// Ids: 18 and on are not of vocab.txt.
TEST(LoadTokenizer, AddedTokensAreFoundInTheText) {
  constexpr std::string_view kConfig = R"({"added_tokens_decoder": {
      "4": {"content": "[MASK]", "special": true, "normalized": false},
      "18": {"content": "[E1]", "special": true, "normalized": false},
      "19": {"content": "Néw", "special": false, "normalized": true},
      "20": {"content": "Néwer", "special": false, "normalized": true},
      "21": {"content": "<x>", "special": false, "normalized": false}}})";
  TempDirectory directory, copy;
  const auto tokenizer = make_tokenizer(directory, kTinyVocabulary, kConfig);
  EXPECT_EQ(tokenizer->vocabulary_size(), 22);
  const auto encoding = tokenizer->encode("aNEWER new[E1]<x><X>[e1]");
  EXPECT_THAT(encoding.ids, ElementsAre(2, 12, 20, 19, 18, 21, 1, 1, 1, 1, 1, 1, 3));
  EXPECT_EQ(encoding.offsets[2], (std::array<int64_t, 2>{1, 6}));
  EXPECT_EQ(encoding.offsets[3], (std::array<int64_t, 2>{7, 10}));
  EXPECT_EQ(encoding.offsets[4], (std::array<int64_t, 2>{10, 14}));
  EXPECT_TRUE(tokenizer->is_special(18));
  EXPECT_FALSE(tokenizer->is_special(19));
  EXPECT_EQ(tokenizer->files().at("vocab.txt"), kTinyVocabulary);
  write_files(*tokenizer, copy);
  EXPECT_EQ(load_tokenizer(copy.path())->files(), tokenizer->files());
  std::filesystem::remove(copy / "vocab.txt");
  EXPECT_EQ(load_tokenizer(copy.path())->encode("aNEWER new[E1]<x><X>[e1]").ids, encoding.ids);

  const auto error_with = [&](std::string_view config) {
    return message_of<DataError>([&] { make_tokenizer(directory, kTinyVocabulary, config); });
  };
  EXPECT_THAT(error_with(R"({"added_tokens_decoder": {"x": {"content": "x"}}})"), HasSubstr("\"x\" is not a token id"));
}

// The files of transformers before 5.
TEST(LoadTokenizer, OlderFilesNameTokensToo) {
  TempDirectory directory;
  write_text(directory / "added_tokens.json", R"({"newer": 18, "[E1]": 19})");
  write_text(directory / "special_tokens_map.json", R"({"mask_token": "hello"})");
  const auto tokenizer = make_tokenizer(directory, kTinyVocabulary,
                                        R"({"additional_special_tokens": ["[E1]", {"content": "world"}, "none"]})");
  EXPECT_EQ(tokenizer->mask_id(), 5);
  EXPECT_THAT(tokenizer->encode_plain("anewer[E1]aworld"), ElementsAre(12, 18, 19, 12, 6));
  EXPECT_TRUE(tokenizer->is_special(19));
  EXPECT_TRUE(tokenizer->is_special(6));
  write_text(directory / "added_tokens.json", R"({"newer": "18"})");
  EXPECT_THAT(message_of<DataError>([&] { load_tokenizer(directory.path()); }), HasSubstr("'newer' is \"18\""));
}

// A tokenizer.json may hold any text, a vocab.txt one token a line.
TEST(Vocabulary, WhatWouldNotComeBackIsNotWritten) {
  for (const char* token : {"a\nb", "a\r", "\n"}) {
    const Vocabulary vocabulary({"x", token}, "test");
    EXPECT_NE(message_of<DataError>([&] { vocabulary.file(); }).find("cannot be a line"), std::string::npos);
  }
  EXPECT_THROW(Vocabulary({"\xEF\xBB\xBFx"}, "test").file(), DataError);
  EXPECT_THROW(Vocabulary({std::string(1, '\0')}, "test").file(), DataError);
  EXPECT_EQ(Vocabulary({"x", "\xEF\xBB\xBF", "a\rb", ""}, "test").file(), "x\n\xEF\xBB\xBF\na\rb\n\n");
}

TEST(CharTokenizer, EveryCharacterIsAToken) {
  TempDirectory directory;
  const auto tokenizer = make_tokenizer(directory, std::string(kSpecials) + " \na\né\n中\n",
                                        R"({"tokenizer_class": "RoFormerNativeCharTokenizer", "do_lower_case": true})");
  EXPECT_EQ(tokenizer->type(), "char");
  const auto encoding = tokenizer->encode("A\tÉ\u200B中 z[MASK]");
  EXPECT_THAT(encoding.ids, ElementsAre(2, 6, 5, 7, 8, 5, 1, 4, 3));
  EXPECT_EQ(encoding.offsets[4], (std::array<int64_t, 2>{4, 5}));
  EXPECT_EQ(encoding.offsets[7], (std::array<int64_t, 2>{7, 13}));
  EXPECT_EQ(tokenizer->decode(tokenizer->encode_plain("é 中a")), "é 中a");
  EXPECT_FALSE(tokenizer->is_continuation(6));
  TempDirectory copy;
  write_files(*tokenizer, copy);
  EXPECT_EQ(load_tokenizer(copy.path())->encode("A\tÉ").ids, tokenizer->encode("A\tÉ").ids);
}

std::string byte_vocabulary() {
  std::string content(kSpecials);
  for (int byte = 0; byte < 256; ++byte) content += ByteTokenizer::byte_token(byte) + "\n";
  return content;
}

TEST(ByteTokenizer, AnyTextComesBack) {
  TempDirectory directory;
  const auto tokenizer =
      make_tokenizer(directory, byte_vocabulary(), R"({"tokenizer_class": "RoFormerNativeByteTokenizer"})");
  EXPECT_EQ(tokenizer->vocabulary_size(), 261);
  const std::string text = "A\r\n\tÉ中\U0001F600 <0x41>\u200B\uFFFD [mask]";
  EXPECT_EQ(tokenizer->decode(tokenizer->encode(text).ids), text);
  EXPECT_EQ(tokenizer->decode(tokenizer->encode_plain("a[MASK]b"), true), "a[MASK]b");
  const auto encoding = tokenizer->encode("a中b");
  EXPECT_THAT(encoding.ids, ElementsAre(2, 5 + 'a', 5 + 0xE4, 5 + 0xB8, 5 + 0xAD, 5 + 'b', 3));
  EXPECT_EQ(encoding.offsets[3], (std::array<int64_t, 2>{1, 2}));
  EXPECT_EQ(encoding.offsets[5], (std::array<int64_t, 2>{2, 3}));
  EXPECT_EQ(tokenizer->decode(std::vector<int32_t>{5 + 'a', 5 + 0xE4, 5 + 0xB8, 5 + 'b'}), "a\uFFFD\uFFFDb");
}

}  // namespace
}  // namespace roformer
