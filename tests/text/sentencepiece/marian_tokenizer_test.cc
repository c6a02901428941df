// Tokenizers of translators: against the ids and texts of transformers' MarianTokenizer (tests/fixtures/README.md).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"
#include "base/utf8.h"
#include "tests/text/tokenizer_files.h"
#include "text/stream_decoder.h"
#include "text/translation_tokenizers.h"

namespace roformer {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string marian_fixture(const std::string& name) { return ROFORMER_SOURCE_DIR "/tests/fixtures/marian/" + name; }

std::string read_fixture(const std::string& name, const char* file) {
  return read_file(marian_fixture(name) + "/" + file, 1 << 20);
}

// A copy of a fixture's directory, some of whose files may be replaced; empty content: left out.
class MarianCopy {
 public:
  explicit MarianCopy(const std::string& name) {
    for (const char* file : {"source.spm", "target.spm", "vocab.json", "target_vocab.json", "tokenizer_config.json"}) {
      if (exists(marian_fixture(name) + "/" + file)) put(file, read_fixture(name, file));
    }
  }
  void put(const char* file, std::string_view content) const { write_text(directory_ / file, content); }
  void remove(const char* file) const { std::filesystem::remove(directory_ / file); }
  TranslationTokenizers load() const { return load_translation_tokenizers(directory_.path()); }
  std::string path() const { return directory_.path(); }
  template <class E>
  std::string error() const {
    return message_of<E>([&] { load(); });
  }

 private:
  TempDirectory directory_;
};

class Marian : public testing::TestWithParam<const char*> {
 protected:
  TranslationTokenizers tokenizers_ = load_translation_tokenizers(marian_fixture(GetParam()));
  Json expected_ = parse_json(read_fixture(GetParam(), "expected.json"), "expected.json");
};
INSTANTIATE_TEST_SUITE_P(, Marian, testing::Values("shared", "separate", "added"),
                         [](const auto& test) { return std::string(test.param); });

void expect_ids(const Tokenizer& tokenizer, const Json& entries) {
  ASSERT_GT(entries.size(), 60u);
  for (const Json& entry : entries) {
    const auto text = entry[0].get<std::string>();
    const auto ids = entry[1].get<std::vector<int32_t>>();
    const Encoding encoding = tokenizer.encode(text);
    EXPECT_EQ(encoding.ids, ids) << quote(text);
    EXPECT_EQ(tokenizer.with_specials(tokenizer.encode_plain(text)), ids) << quote(text);
    int64_t end = 0;
    for (const auto& [first, last] : encoding.offsets) {
      EXPECT_LE(first, last) << quote(text);
      end = std::max(end, last);
    }
    EXPECT_LE(end, count_code_points(text)) << quote(text);
  }
}

TEST_P(Marian, GivesTheIdsOfTransformers) {
  expect_ids(*tokenizers_.source, expected_["source"]);
  expect_ids(*tokenizers_.target, expected_["target"]);
  const Json& pair = expected_["pair"];
  EXPECT_EQ(tokenizers_.source->encode(pair[0].get<std::string>(), pair[1].get<std::string>()).ids,
            pair[2].get<std::vector<int32_t>>());
}

TEST_P(Marian, GivesTheTextsOfTransformers) {
  ASSERT_EQ(expected_["decoded"].size(), 100u);
  for (const Json& entry : expected_["decoded"]) {
    const auto ids = entry[0].get<std::vector<int32_t>>();
    const std::string all = entry[1].get<std::string>(), text = entry[2].get<std::string>();
    EXPECT_EQ(tokenizers_.target->decode(ids, /*keep_special=*/true), all) << testing::PrintToString(ids);
    EXPECT_EQ(tokenizers_.target->decode(ids), text) << testing::PrintToString(ids);
    if (tokenizers_.shared) {
      EXPECT_EQ(tokenizers_.source->decode(ids), text);
    }
    StreamDecoder stream(*tokenizers_.target);
    std::string streamed;
    for (const int32_t id : ids) streamed += stream.push(id);
    EXPECT_EQ(streamed + stream.finish(), text) << testing::PrintToString(ids);
  }
}

TEST_P(Marian, SurvivesItsFiles) {
  TempDirectory saved;
  const auto files = tokenizers_.source->files();
  for (const char* name : {"source.spm", "target.spm", "vocab.json"}) {
    EXPECT_TRUE(files.at(name) == read_fixture(GetParam(), name)) << name;
  }
  EXPECT_EQ(files.contains("target_vocab.json"), !tokenizers_.shared);
  EXPECT_TRUE(tokenizers_.target->files() == files);
  for (const auto& [name, content] : files) write_text(saved / name, content);
  const TranslationTokenizers again = load_translation_tokenizers(saved.path());
  EXPECT_TRUE(again.source->files() == files);
  EXPECT_EQ(again.shared, tokenizers_.shared);
  expect_ids(*again.source, expected_["source"]);
  expect_ids(*again.target, expected_["target"]);
}

TEST_P(Marian, IsTheTokenizerOfItsDirectory) {
  const auto tokenizer = load_tokenizer(marian_fixture(GetParam()));
  EXPECT_EQ(tokenizer->tokenizer_class(), "MarianTokenizer");
  expect_ids(*tokenizer, expected_["source"]);
  EXPECT_THAT(message_of<UsageError>([&] {
                load_tokenizer(marian_fixture(GetParam()), {.mode = JiebaMode::fast, .jieba_dictionary = ""});
              }),
              HasSubstr("MarianTokenizer, which takes no tokenizer_mode"));
}

TEST(MarianDirectory, Settings) {
  const auto shared = load_translation_tokenizers(marian_fixture("shared"));
  ASSERT_TRUE(shared.languages);
  EXPECT_EQ(shared.languages->source, "eng");
  EXPECT_EQ(shared.languages->target, "deu");
  EXPECT_EQ(shared.source->model_max_length(), 512);  // of transformers' class
  EXPECT_EQ(shared.source->type(), "unigram");
  EXPECT_EQ(shared.source->sep_id(), 0);
  EXPECT_EQ(shared.source->unk_id(), 1);
  EXPECT_EQ(shared.source->pad_id(), shared.source->vocabulary_size() - 1);
  EXPECT_FALSE(shared.source->has(SpecialToken::cls));
  const auto separate = load_translation_tokenizers(marian_fixture("separate"));
  EXPECT_FALSE(separate.shared);
  EXPECT_FALSE(separate.languages);
  EXPECT_EQ(separate.target->model_max_length(), 99);
  EXPECT_TRUE(separate.target->is_continuation(*separate.target->id("e")));
  EXPECT_FALSE(separate.target->is_continuation(*separate.target->id("▁E")));
}

TEST(MarianDirectory, OffsetsAreThoseOfTheText) {
  const auto tokenizers = load_translation_tokenizers(marian_fixture("shared"));
  const Encoding encoding = tokenizers.source->encode(">>deu<< A man\U0001F600");
  ASSERT_EQ(encoding.ids.size(), 6u);  // code, "▁", "A", "▁man", unknown, end
  EXPECT_THAT(encoding.offsets[0], ElementsAre(0, 7));
  EXPECT_THAT(encoding.offsets[2], ElementsAre(8, 9));
  EXPECT_THAT(encoding.offsets[3], ElementsAre(9, 13));
  EXPECT_THAT(encoding.offsets[4], ElementsAre(13, 14));
}

// U+0085 as bytes is white space, too; an incomplete character is not.
TEST(MarianDirectory, WhiteSpaceAtTheEndsGoesAlsoWhereBytesAreIt) {
  const auto tokenizers = load_translation_tokenizers(marian_fixture("separate"));
  const auto decode = [&](std::initializer_list<const char*> tokens) {
    std::vector<int32_t> ids;
    for (const char* token : tokens) ids.push_back(*tokenizers.target->id(token));
    StreamDecoder stream(*tokenizers.target);
    std::string streamed;
    for (const int32_t id : ids) streamed += stream.push(id);
    streamed += stream.finish();
    EXPECT_EQ(streamed, tokenizers.target->decode(ids));
    return streamed;
  };
  EXPECT_EQ(decode({"▁", "<0xC2>", "<0x85>", "e", "<0xC2>", "<0x85>", "▁"}), "e");
  EXPECT_EQ(decode({"e", "<0xC2>", "<0x85>", "e"}), "e\u0085e");
  EXPECT_EQ(decode({"<0x20>", "e", "▁", "<0xC2>"}), "e \uFFFD");
  EXPECT_EQ(decode({"▁", "<0x09>"}), "");
}

TEST(MarianDirectory, TheClassMayBeUnnamed) {
  MarianCopy copy("shared");
  copy.remove("tokenizer_config.json");
  EXPECT_EQ(load_tokenizer(copy.path())->tokenizer_class(), "MarianTokenizer");
  copy.put("config.json", R"({"tokenizer_class": "T5Tokenizer"})");
  EXPECT_THAT(copy.error<DataError>(), HasSubstr("'tokenizer_class' is \"T5Tokenizer\", expected MarianTokenizer"));
}

TEST(MarianDirectory, MissingFilesAreNamed) {
  EXPECT_THAT(message_of<FileError>([] { load_translation_tokenizers("/nowhere/opus"); }), HasSubstr("/nowhere/opus"));
  for (const char* file : {"source.spm", "target.spm", "vocab.json", "target_vocab.json"}) {
    MarianCopy copy("separate");
    copy.remove(file);
    EXPECT_THAT(copy.error<FileError>(), HasSubstr(std::string(file) + ": no such file, expected"));
    EXPECT_THAT(message_of<FileError>([&] { load_tokenizer(copy.path()); }), HasSubstr(file));
  }
}

TEST(MarianDirectory, BadFilesAreRefused) {
  const auto error_with = [](const char* file, std::string_view content) {
    MarianCopy copy("separate");
    copy.put(file, content);
    return copy.error<DataError>();
  };
  EXPECT_THAT(error_with("source.spm", "no model"), HasSubstr("source.spm"));
  EXPECT_THAT(error_with("target.spm", ""), HasSubstr("target.spm"));
  EXPECT_THAT(error_with("vocab.json", R"({"</s>": 0, "<unk>": 0})"),
              HasSubstr("vocab.json: the 2 ids must be distinct numbers below 1028; the one of \"<unk>\" is \"0\""));
  EXPECT_THAT(error_with("vocab.json", R"({"</s>": 0, "</s>": 1})"), HasSubstr("vocab.json"));
  EXPECT_THAT(error_with("vocab.json", R"({"</s>": 0, "<unk>": -1})"), HasSubstr("must be distinct numbers"));
  EXPECT_THAT(error_with("vocab.json", R"({"</s>": 0, "<unk>": 100000})"), HasSubstr("must be distinct numbers"));
  EXPECT_THAT(error_with("vocab.json", R"({"</s>": 0, "<unk>": "1"})"), HasSubstr("must be distinct numbers"));
  EXPECT_THAT(error_with("vocab.json", "{}"), HasSubstr("no tokens"));
  EXPECT_THAT(error_with("vocab.json", "[]"), HasSubstr("expected an object"));
  EXPECT_THAT(error_with("target_vocab.json", R"({"</s>": 0, "a": 1})"),
              HasSubstr("target_vocab.json: special tokens missing from the vocabulary: \"<pad>\", \"<unk>\""));
  EXPECT_THAT(error_with("tokenizer_config.json", R"({"sp_model_kwargs": {"enable_sampling": true}})"),
              HasSubstr("'sp_model_kwargs'"));
  EXPECT_THAT(error_with("tokenizer_config.json", R"({"separate_vocabs": "yes"})"), HasSubstr("'separate_vocabs'"));
}

}  // namespace
}  // namespace roformer
