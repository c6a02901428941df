// Added tokens, special tokens and vocabularies in the forms that directories have. The expected ids and offsets are
// those of tokenizers 0.23 and transformers 5.23 for the same files.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/text/tokenizer_files.h"
#include "text/added_token_matcher.h"
#include "text/unicode.h"

namespace roformer {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Offset = std::array<int64_t, 2>;

// Ids: 5 hello, 6 world, 7 the, 8 fox, 9 paris, 10 a, 11 b, 12 ##b, 13 covid, 14 ##19, 15 .
constexpr std::string_view kWords =
    "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nhello\nworld\nthe\nfox\nparis\na\nb\n##b\ncovid\n##19\n.\n";
constexpr std::string_view kBert = R"({"tokenizer_class": "BertTokenizer")";

class Directory {
 public:
  explicit Directory(std::string_view vocabulary = kWords) {
    if (!vocabulary.empty()) put("vocab.txt", vocabulary);
  }
  Directory& put(const std::string& name, std::string_view content) {
    write_text(directory_ / name, content);
    return *this;
  }
  // `rest` continues the object: R"(, "key": value)".
  Directory& config(std::string_view rest) {
    return put("tokenizer_config.json", std::string(kBert) + std::string(rest) + "}");
  }
  std::unique_ptr<Tokenizer> load() const { return load_tokenizer(directory_.path()); }
  std::vector<int32_t> ids(std::string_view text) const { return load()->encode_plain(text); }
  std::string error() const {
    return message_of<DataError>([&] { load(); });
  }

 private:
  TempDirectory directory_;
};

// A tokenizer.json with these added tokens besides.
std::string fast_file(std::string_view vocabulary, std::string_view added = "") {
  return R"({"model": {"type": "WordPiece", "vocab": {)" + std::string(vocabulary) + R"(}}, "added_tokens": [)" +
         std::string(added) + R"(], "normalizer": {"type": "BertNormalizer", "lowercase": false},
         "pre_tokenizer": {"type": "BertPreTokenizer"}})";
}
constexpr std::string_view kFastWords = R"("[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "[MASK]": 4, "hello": 5,
    "world": 6, "the": 7, "fox": 8)";

TEST(AddedTokenMatcher, FindsWhatTokenizersFinds) {
  struct Part {
    size_t begin, end;
    int32_t id;  // -1: text
    bool operator==(const Part&) const = default;
  };
  const auto parts = [](std::vector<AddedToken> tokens, std::string_view text) {
    std::vector<Part> result;
    AddedTokenMatcher(std::move(tokens))
        .split(
            text,
            [&](size_t begin, size_t end) {
              result.push_back({begin, end, -1});
            },
            [&](const AddedTokenMatcher::Match& match) {
              result.push_back({match.begin, match.end, match.token->id});
            });
    return result;
  };
  const AddedToken plain{.content = "foo", .id = 1};
  AddedToken word = plain, left = plain, right = plain, both = plain;
  word.single_word = left.lstrip = right.rstrip = both.lstrip = both.rstrip = true;

  EXPECT_THAT(parts({plain}, ""), ElementsAre());
  EXPECT_THAT(parts({}, "foo"), ElementsAre(Part{0, 3, -1}));
  EXPECT_THAT(parts({plain, {.content = "foo b", .id = 2}}, "xfoo bfoo"),
              ElementsAre(Part{0, 1, -1}, Part{1, 6, 2}, Part{6, 9, 1}));
  EXPECT_THAT(parts({plain, {.content = "foo", .id = 2}, {.content = "", .id = 3}}, "foo"), ElementsAre(Part{0, 3, 1}));
  EXPECT_THAT(parts({word}, "foo.xfoo foo_ (foo)"),
              ElementsAre(Part{0, 3, 1}, Part{3, 15, -1}, Part{15, 18, 1}, Part{18, 19, -1}));
  EXPECT_THAT(parts({word}, "\u4e2dfoo foo\u0301 foo\u00b2"),
              ElementsAre(Part{0, 13, -1}, Part{13, 16, 1}, Part{16, 18, -1}));
  // The match that is no word of its own uses up its text.
  EXPECT_THAT(parts({{.content = "ab", .id = 1, .single_word = true}, {.content = "b", .id = 2}}, "xab ab b"),
              ElementsAre(Part{0, 4, -1}, Part{4, 6, 1}, Part{6, 7, -1}, Part{7, 8, 2}));
  EXPECT_THAT(parts({left}, "a \u3000\tfoo foo"), ElementsAre(Part{0, 1, -1}, Part{1, 9, 1}, Part{9, 13, 1}));
  EXPECT_THAT(parts({right}, "foo \u3000 b foo"), ElementsAre(Part{0, 8, 1}, Part{8, 10, -1}, Part{10, 13, 1}));
  EXPECT_THAT(parts({both}, " foo  foo b"), ElementsAre(Part{0, 6, 1}, Part{6, 10, 1}, Part{10, 11, -1}));
  EXPECT_THAT(parts({right, {.content = " b", .id = 2}}, "foo b b"),
              ElementsAre(Part{0, 4, 1}, Part{3, 5, 2}, Part{5, 7, 2}));
  const AddedToken space{.content = " ", .id = 2, .lstrip = true};
  EXPECT_THAT(parts({right, space}, "foo   x"), ElementsAre(Part{0, 6, 1}, Part{6, 7, -1}));  // not again by space
  const AddedToken spaces{.content = " ", .id = 2, .lstrip = true, .rstrip = true};
  EXPECT_THAT(parts({spaces}, "a   b"), ElementsAre(Part{0, 1, -1}, Part{1, 4, 2}, Part{4, 5, -1}));
}

TEST(AddedTokenMatcher, WordCharactersAreThoseOfRegularExpressions) {
  for (const char32_t c : U"aZ09_\u00e9\u0301\u0903\u20dd\u0660\u2160\u203f\u200d\u24b6\U0001f130\u4e2d") {
    EXPECT_EQ(is_word_character(c), c != 0) << static_cast<uint32_t>(c);
  }
  for (const char32_t c : U" .-\u00b2\u00bd\u2460\u20ac\u200b\ue000\uff0e") EXPECT_FALSE(is_word_character(c));
}

TEST(AddedTokens, AreNumberedWithoutGapsInTheOrderOfTheirIds) {
  Directory directory;
  directory.config("").put("added_tokens.json", R"({"qq": 30, "ww": 20, "hello": 17})");
  EXPECT_THAT(directory.ids("qq WW hello"), ElementsAre(17, 16, 5));
  EXPECT_EQ(directory.load()->vocabulary_size(), 18);
  // A special token is found in lower case then, unless the files name it.
  directory.put("added_tokens.json", R"({"qq": 30, "ww": 20, "[MASK]": 4})");
  EXPECT_THAT(directory.ids("[mask] qq"), ElementsAre(4, 17));
  directory.config(R"(, "mask_token": "[MASK]")");
  EXPECT_THAT(directory.ids("a[MASK] qq"), ElementsAre(10, 4, 17));
  EXPECT_EQ(directory.ids("[mask]").size(), 3u);
  directory.config(R"(, "added_tokens_decoder": {"30": {"content": "qq"}, "5": {"content": "x"}})");
  EXPECT_THAT(directory.ids("qq x hello ww"), ElementsAre(17, 16, 5, 1));  // added_tokens.json does not count then
  TempDirectory copy;
  for (const auto& [name, content] : directory.load()->files()) write_text(copy / name, content);
  EXPECT_THAT(load_tokenizer(copy.path())->encode_plain("qq x hello"), ElementsAre(17, 16, 5));
  EXPECT_THAT(directory.config(R"(, "added_tokens_decoder": {"x": {"content": "x"}})").error(), HasSubstr("token id"));
}

TEST(AddedTokens, KeepTheirOptionsInTheirFiles) {
  Directory directory;
  directory.config(R"(, "added_tokens_decoder": {
      "4": {"content": "[MASK]", "lstrip": true, "special": true, "normalized": false},
      "16": {"content": "Foo", "single_word": true, "normalized": true},
      "17": {"content": "<e>", "rstrip": true, "special": true, "normalized": false}})");
  const auto tokenizer = directory.load();
  const auto encoding = tokenizer->encode("the [MASK] FOO foob <e>  fox");
  EXPECT_THAT(encoding.ids, ElementsAre(2, 7, 4, 16, 1, 17, 8, 3));
  EXPECT_THAT(encoding.offsets, ElementsAre(Offset{0, 0}, Offset{0, 3}, Offset{3, 10}, Offset{11, 14}, Offset{15, 19},
                                            Offset{20, 25}, Offset{25, 28}, Offset{0, 0}));
  TempDirectory copy;
  for (const auto& [name, content] : tokenizer->files()) write_text(copy / name, content);
  EXPECT_EQ(load_tokenizer(copy.path())->files(), tokenizer->files());
  EXPECT_EQ(load_tokenizer(copy.path())->encode("the [MASK] FOO foob <e>  fox").offsets, encoding.offsets);
}

// Tokens matched in raw text come first; in normalized text, the tokens are normalized, too.
TEST(AddedTokens, MatchInNormalizedTextLast) {
  Directory directory;
  directory.config(R"(, "added_tokens_decoder": {
      "16": {"content": "Fox the", "normalized": true}, "17": {"content": "the", "normalized": false},
      "18": {"content": "É", "normalized": true, "lstrip": true}, "19": {"content": "中a", "normalized": true}})");
  EXPECT_THAT(directory.ids("fox the FOX THE"), ElementsAre(8, 7, 16));
  const auto encoding = directory.load()->encode("a  e\u0301 b\u4e2dA");
  EXPECT_THAT(encoding.ids, ElementsAre(2, 10, 17, 11, 18, 3));
  EXPECT_EQ(encoding.offsets[2], (Offset{1, 4}));
  EXPECT_EQ(encoding.offsets[4], (Offset{7, 9}));
}

TEST(AddedTokens, ComeFromTokenizerJsonBesideVocabTxt) {
  constexpr std::string_view kAdded = R"({"id": 24, "content": "qq", "normalized": true},
      {"id": 20, "content": "ww", "normalized": false}, {"id": 4, "content": "[MASK]", "lstrip": true, "special": true})";
  Directory directory;
  directory.config("").put("tokenizer.json", fast_file(kFastWords, kAdded));
  EXPECT_THAT(directory.ids("QQ Hello ww"), ElementsAre(10, 5, 9));  // BERT's classes lower-case unless told
  EXPECT_EQ(directory.load()->encode("a [MASK]").offsets[2], (Offset{1, 8}));
  directory.put("added_tokens.json", R"({"zz": 24, "yy": 25})");  // 24 is qq's
  EXPECT_THAT(directory.ids("qq yy zz"), ElementsAre(10, 11, 1));
  directory.config(R"(, "added_tokens_decoder": {"24": {"content": "qq", "lstrip": true, "normalized": false}})");
  EXPECT_EQ(directory.load()->encode("a qq").offsets[2], (Offset{1, 4}));
  EXPECT_THAT(directory.ids("qq ww yy"), ElementsAre(10, 9, 1));
}

TEST(AddedTokens, SpecialTokensMayBeObjectsOrBeAdded) {
  Directory directory;
  directory.config("").put("special_tokens_map.json", R"({"mask_token": {"content": "[MASK]", "rstrip": true}})");
  EXPECT_EQ(directory.load()->encode("a [MASK] fox").offsets[2], (Offset{2, 9}));
  directory.config(R"(, "mask_token": {"content": "[MASK]", "lstrip": true, "__type": "AddedToken"},
                       "extra_special_tokens": ["<e1>", {"content": "<e2>", "lstrip": true}], "bos_token": "<bos>",
                       "image_token": "<img>", "add_bos_token": true)");
  directory.put("special_tokens_map.json", R"({"cls_token": "[CLS]"})");
  const auto encoding = directory.load()->encode("[MASK] <e1> <e2> <bos> <img>");
  EXPECT_THAT(encoding.ids, ElementsAre(2, 4, 18, 19, 16, 17, 3));
  EXPECT_EQ(encoding.offsets[3], (Offset{11, 16}));
  EXPECT_TRUE(directory.load()->is_special(17));
  EXPECT_THAT(directory.config(R"(, "extra_special_tokens": {"image_token": "<img>"})").ids("<img>"), ElementsAre(16));
  // With added_tokens_decoder the other files do not count.
  directory.config(R"(, "added_tokens_decoder": {"4": {"content": "[MASK]", "special": true}})");
  directory.put("special_tokens_map.json", R"({"mask_token": {"content": "[MASK]", "lstrip": true}})");
  EXPECT_EQ(directory.load()->encode("a [MASK] fox").offsets[2], (Offset{2, 8}));
  Directory without_mask("[PAD]\n[UNK]\n[CLS]\n[SEP]\nfox\n");
  EXPECT_THAT(without_mask.ids("fox[MASK]"), ElementsAre(4, 5));
  EXPECT_EQ(without_mask.load()->files().at("vocab.txt"), "[PAD]\n[UNK]\n[CLS]\n[SEP]\nfox\n");
}

// The list of transformers 5 counts before that of 4, and tokenizer_config.json's before special_tokens_map.json's.
TEST(AddedTokens, OneListOfAdditionalOnesCounts) {
  Directory directory;
  const auto ids = [&](std::string_view config, std::string_view map) {
    directory.put("special_tokens_map.json", map);
    return directory.config(config).ids("<e1> <e2>");
  };
  const std::vector<int32_t> none = {1, 1, 1, 1, 1, 1}, second = {1, 1, 1, 16};
  EXPECT_EQ(ids(R"(, "additional_special_tokens": ["<e2>"])", R"({"additional_special_tokens": ["<e1>"]})"), second);
  EXPECT_EQ(ids(R"(, "extra_special_tokens": ["<e2>"])", R"({"additional_special_tokens": ["<e1>"]})"), second);
  EXPECT_EQ(ids(R"(, "extra_special_tokens": ["<e2>"], "additional_special_tokens": ["<e1>"])", "{}"), second);
  EXPECT_EQ(ids(R"(, "extra_special_tokens": [], "additional_special_tokens": ["<e2>"])", "{}"), second);
  EXPECT_EQ(ids("", R"({"additional_special_tokens": ["<e2>"]})"), second);
  EXPECT_EQ(ids(R"(, "additional_special_tokens": [])", R"({"additional_special_tokens": ["<e1>"]})"), none);
}

TEST(AddedTokens, OfCharactersAndBytesAreFoundToo) {
  Directory characters("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n \na\nb\n");
  characters.put("tokenizer_config.json", R"({"tokenizer_class": "RoFormerNativeCharTokenizer", "do_lower_case": true,
      "added_tokens_decoder": {"8": {"content": "aB", "normalized": true, "lstrip": true}, "9": {"content": "B"},
                               "10": {"content": "b", "normalized": false}}})");
  EXPECT_THAT(characters.ids("a  AB Ba b"), ElementsAre(6, 8, 5, 9, 6, 5, 7));
  EXPECT_EQ(characters.load()->encode("a  AB").offsets[2], (Offset{1, 5}));
}

TEST(Vocabularies, LinesKeepTheirNumbers) {
  const std::string specials = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";
  Directory blank(specials + "hello\nworld\n\n\nparis\nfox");
  EXPECT_THAT(blank.config("").ids("hello world paris fox"), ElementsAre(5, 6, 9, 10));
  EXPECT_EQ(blank.load()->vocabulary_size(), 11);
  Directory repeated(specials + "hello\nfox\nhello\nfox \r\nworld\u3000\n##o\n##o\n");
  EXPECT_THAT(repeated.config("").ids("hello fox world foxo"), ElementsAre(7, 8, 9, 8, 11));
  TempDirectory copy;
  for (const auto& [name, content] : repeated.load()->files()) write_text(copy / name, content);
  EXPECT_THAT(load_tokenizer(copy.path())->encode_plain("hello fox world foxo"), ElementsAre(7, 8, 9, 8, 11));
  EXPECT_EQ(load_tokenizer(copy.path())->files(), repeated.load()->files());
  // Added tokens are numbered from the number of distinct tokens, which may be the id of a blank line or of a word.
  Directory ends_blank(specials + "hello\n\n\n");
  EXPECT_THAT(ends_blank.config("").put("added_tokens.json", R"({"qq": 8})").ids("hello qq"), ElementsAre(5, 7));
  EXPECT_EQ(ends_blank.load()->token(7), "qq");
  EXPECT_THAT(blank.put("added_tokens.json", R"({"qq": 11})").ids("fox qq paris"), ElementsAre(10, 10, 9));
  EXPECT_EQ(blank.load()->token(10), "qq");
  EXPECT_EQ(blank.load()->vocabulary_size(), 11);
}

TEST(Vocabularies, OfTokenizerJsonMayHaveHoles) {
  Directory directory("");
  directory.config("").put("tokenizer.json", fast_file(std::string(kFastWords) + R"(, "b": 40)",
                                                       R"({"id": 41, "content": "qq", "normalized": true})"));
  EXPECT_THAT(directory.ids("b qq fox"), ElementsAre(40, 10, 8));
  const auto tokenizer = directory.load();
  EXPECT_EQ(tokenizer->vocabulary_size(), 41);
  EXPECT_EQ(tokenizer->token(10), "qq");
  EXPECT_EQ(tokenizer->token(20), "");
  TempDirectory copy;
  for (const auto& [name, content] : tokenizer->files()) write_text(copy / name, content);
  EXPECT_EQ(load_tokenizer(copy.path())->files(), tokenizer->files());
  EXPECT_THAT(load_tokenizer(copy.path())->encode_plain("b qq fox"), ElementsAre(40, 10, 8));
}

TEST(TokenizerClasses, WithBertsRulesAreBert) {
  Directory directory;
  for (const char* name : {"BertTokenizerFast", "DistilBertTokenizer", "DistilBertTokenizerFast", "ElectraTokenizer",
                           "ConvBertTokenizer", "MobileBertTokenizer", "SqueezeBertTokenizer", "LayoutLMTokenizer",
                           "LxmertTokenizer", "RetriBertTokenizer", "DPRQuestionEncoderTokenizerFast"}) {
    directory.put("tokenizer_config.json", fmt::format(R"({{"tokenizer_class": "{}"}})", name));
    EXPECT_THAT(directory.load()->encode("Hello", "fox").ids, ElementsAre(2, 5, 3, 8, 3)) << name;
  }
  for (const char* name : {"FunnelTokenizer", "MPNetTokenizer", "BertJapaneseTokenizer", "SplinterTokenizer", "Fast"}) {
    directory.put("tokenizer_config.json", fmt::format(R"({{"tokenizer_class": "{}"}})", name));
    EXPECT_THAT(directory.error(), HasSubstr(fmt::format("\"{}\", expected BertTokenizer", name)));
  }
}

}  // namespace
}  // namespace roformer
