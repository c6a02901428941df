// Byte-level BPE: its merges against those of the plain model, its files, and what they refuse. Against Hugging Face's
// tokenizers: pipeline_test.cc.
#include "text/pipeline/byte_bpe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>

#include "base/file.h"
#include "tests/text/tokenizer_files.h"
#include "text/pipeline/byte_letters.h"
#include "text/pipeline/make_byte_bpe.h"
#include "text/pipeline/tokenizer.h"
#include "text/stream_decoder.h"

namespace roformer {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> byte_tokens() {
  std::vector<std::string> tokens;
  for (int byte = 0; byte < 256; ++byte) {
    tokens.push_back(pipeline::bytes_to_letters(std::string(1, static_cast<char>(byte))));
  }
  return tokens;
}

// The bytes, random merges of tokens into new ones (or known ones, by another way), and a token without merges.
struct RandomMerges {
  std::vector<std::string> tokens = byte_tokens();
  std::vector<ByteBpe::Merge> merges;

  RandomMerges(std::string_view bytes, size_t count, uint32_t seed) {
    std::mt19937 random(seed);
    std::vector<int32_t> known;
    for (const char byte : bytes) known.push_back(static_cast<unsigned char>(byte));
    for (size_t i = 0; i < count; ++i) {
      const int32_t left = known[random() % known.size()], right = known[random() % known.size()];
      const std::string merged = tokens[static_cast<size_t>(left)] + tokens[static_cast<size_t>(right)];
      const auto found = std::ranges::find(tokens, merged);
      merges.push_back({left, right, static_cast<int32_t>(found - tokens.begin())});
      known.push_back(merges.back().merged);
      if (found == tokens.end()) tokens.push_back(merged);
    }
    tokens.emplace_back("zzzz");
  }
};

// By the definition: the neighbors whose merge is the earliest, the leftmost first.
std::vector<int32_t> merge_plainly(std::string_view word, const std::vector<ByteBpe::Merge>& merges) {
  std::vector<int32_t> ids;
  for (const char byte : word) ids.push_back(static_cast<unsigned char>(byte));
  const auto rank = [&](size_t i) {
    for (size_t r = merges.size(); r > 0; --r) {
      if (merges[r - 1].left == ids[i] && merges[r - 1].right == ids[i + 1]) return r - 1;
    }
    return merges.size();
  };
  while (ids.size() > 1) {
    size_t best = 0;
    for (size_t i = 1; i + 1 < ids.size(); ++i) best = rank(i) < rank(best) ? i : best;
    if (rank(best) == merges.size()) break;
    ids[best] = merges[rank(best)].merged;
    ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(best) + 1);
  }
  return ids;
}

std::vector<int32_t> cut_word(const ByteBpe& bpe, std::string_view word) {
  std::vector<int32_t> ids;
  size_t done = 0;
  bpe.cut(word, [&](int32_t id, size_t begin, size_t end) {
    EXPECT_EQ(begin, done);
    done = end;
    ids.push_back(id);
  });
  EXPECT_EQ(done, word.size());
  return ids;
}

TEST(ByteBpe, MergesByTheDefinition) {
  const std::vector<std::vector<std::string>> alphabets = {
      {"a", "b", "c"}, {"中", "文", "丁", "乙"}, {"中", "a", " ", "é", "文", "😀"}};
  for (uint32_t seed = 0; seed < 60; ++seed) {
    std::mt19937 random(seed);
    const auto& letters = alphabets[seed % alphabets.size()];
    std::string all;
    for (const std::string& letter : letters) all += letter;
    const RandomMerges made(all, 40, seed);
    ByteBpe bpe(made.tokens, /*ignores_merges=*/false), whole(made.tokens, /*ignores_merges=*/true);
    bpe.set_merges(made.merges);
    whole.set_merges(made.merges);
    for (int i = 0; i < 60; ++i) {
      std::string word;
      for (size_t count = 1 + random() % (i % 20 == 0 ? 90 : 12); count > 0; --count)
        word += letters[random() % letters.size()];
      const auto expected = merge_plainly(word, made.merges);
      EXPECT_EQ(cut_word(bpe, word), expected) << seed << " " << word;
      EXPECT_EQ(cut_word(bpe, word), expected) << "a second time: " << word;
      const int32_t id = whole.find(word);
      EXPECT_EQ(cut_word(whole, word), id == ByteBpe::kNone ? expected : std::vector<int32_t>{id}) << word;
    }
  }
}

TEST(ByteBpe, TakesNoQuadraticTimeForAMegabyteOfOneWord) {
  const RandomMerges made("ab", 30, 1);
  ByteBpe bpe(made.tokens, false);
  bpe.set_merges(made.merges);
  std::string word;
  std::mt19937 random(2);
  while (word.size() < size_t{1} << 20) word += random() % 2 == 0 ? 'a' : 'b';
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_GT(cut_word(bpe, word).size(), 1000u);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20));
}

ByteBpeContent small_content() {
  ByteBpeContent content{.tokens = byte_tokens()};
  for (const char* token : {"<s>", "</s>", "ab", "Ġab", "Ġa", "abc"}) content.tokens.emplace_back(token);
  content.merges = {"a b", "Ġ ab", "Ġ a"};
  content.added = {{.content = "<s>", .id = 256, .special = true}, {.content = "</s>", .id = 257, .special = true}};
  content.specials.cls = "<s>";
  content.specials.sep = "</s>";
  content.around = ByteBpeContent::Around::cls;
  return content;
}

TEST(MakeByteBpe, MakesATokenizerThatSurvivesItsFiles) {
  ByteBpeContent content = small_content();
  content.chat_template = "{{ x }}";
  const auto tokenizer = make_byte_bpe(content, "test");
  EXPECT_THAT(tokenizer->encode("ab ab</s>").ids, ElementsAre(256, 258, 259, 257));
  EXPECT_THAT(tokenizer->encode("a", "b").ids, ElementsAre(256, 'a', 256, 'b'));
  EXPECT_EQ(tokenizer->decode(std::vector<int32_t>{256, 258, 259, 257}), "ab ab");
  EXPECT_EQ(tokenizer->type(), "bpe");
  TempDirectory directory;
  for (const auto& [name, text] : tokenizer->files()) write_text(directory / name, text);
  const auto again = load_tokenizer(directory.path());
  EXPECT_EQ(again->files(), tokenizer->files());
  EXPECT_EQ(Json::parse(tokenizer->files().at("tokenizer_config.json"))["chat_template"], "{{ x }}");
  for (const char* text : {"ab 中文 é", "  x\n\n", ""}) EXPECT_EQ(again->encode(text).ids, tokenizer->encode(text).ids);
}

TEST(MakeByteBpe, KnowsPatternsAndIgnoredMerges) {
  ByteBpeContent content = small_content();
  const auto ids = [&](const char* text) { return make_byte_bpe(content, "test")->encode_plain(text); };
  EXPECT_THAT(ids("abc"), ElementsAre(258, 'c'));
  content.ignores_merges = true;
  EXPECT_THAT(ids("abc"), ElementsAre(261));
  content.pattern = BytePattern::qwen2;
  content.composes = true;
  EXPECT_EQ(ids("e\u0301"), ids("é"));
  content.pattern = BytePattern::llama3;
  EXPECT_THAT(ids("1ab"), ElementsAre('1', 258));
}

TEST(MakeByteBpe, RefusesListsThatDoNotFit) {
  const auto refusal = [](const ByteBpeContent& content) {
    return message_of<DataError>([&] { make_byte_bpe(content, "model.gguf"); });
  };
  ByteBpeContent content = small_content();
  content.merges.emplace_back("a q");
  EXPECT_THAT(refusal(content), HasSubstr("does not join two tokens into a third"));
  content = small_content();
  content.tokens.emplace_back("ab");
  EXPECT_THAT(refusal(content), HasSubstr("model.gguf: the tokens 258 and 262 are both \"ab\""));
  content = small_content();
  content.specials.pad = "<pad>";
  EXPECT_THAT(refusal(content), HasSubstr("the pad_token \"<pad>\" is not among the added tokens"));
}

TEST(MakeByteBpe, StreamsWholeCharacters) {
  const auto tokenizer = make_byte_bpe(small_content(), "test");
  StreamDecoder stream(*tokenizer);
  std::vector<std::string> parts;
  for (const int32_t id : tokenizer->encode_plain("é中😀")) parts.push_back(stream.push(id));
  EXPECT_THAT(parts, ElementsAre("", "é", "", "", "中", "", "", "", "😀"));
}

TEST(MakeByteBpe, GivesTheSameOnSeveralThreads) {
  const auto tokenizer = make_byte_bpe(small_content(), "test");
  std::string text;
  for (int i = 0; i < 2000; ++i) text += " ab abc a b";
  std::vector<std::vector<int32_t>> ids(4);
  {
    std::vector<std::jthread> threads;
    for (auto& result : ids) threads.emplace_back([&] { result = tokenizer->encode_plain(text); });
  }
  for (const auto& result : ids) EXPECT_EQ(result, ids[0]);
  EXPECT_EQ(ids[0], tokenizer->encode_plain(text));
}

// vocab.json and merges.txt, as GPT-2's.
class MergesFiles : public testing::Test {
 protected:
  void write(const std::string& merges, const std::string& config) {
    Json vocabulary = Json::object();
    for (const std::string& token : byte_tokens()) vocabulary[token] = vocabulary.size();
    for (const char* token : {"ab", "##", "<|endoftext|>"}) vocabulary[token] = vocabulary.size();
    write_text(directory_ / "vocab.json", vocabulary.dump());
    write_text(directory_ / "merges.txt", merges);
    write_text(directory_ / "tokenizer_config.json", config);
  }
  std::string refusal() {
    return message_of<DataError>([&] { load_tokenizer(directory_.path()); });
  }

  TempDirectory directory_;
};

TEST_F(MergesFiles, MakeATokenizer) {
  const std::string merges = "#version: 0.2\na b\n# #\n";
  for (const char* name : {"GPT2Tokenizer", "GPT2TokenizerFast", "Qwen2Tokenizer", "GPTNeoXTokenizer"}) {
    write(merges, fmt::format(R"({{"tokenizer_class": "{}"}})", name));
    const auto tokenizer = load_tokenizer(directory_.path());
    EXPECT_THAT(tokenizer->encode("ab##<|endoftext|>").ids, ElementsAre(256, 257, 258)) << name;
    EXPECT_EQ(tokenizer->token(tokenizer->sep_id()), "<|endoftext|>");
    EXPECT_EQ(tokenizer->encode_plain("e\u0301") == tokenizer->encode_plain("é"),
              std::string(name) == "Qwen2Tokenizer" || std::string(name) == "GPTNeoXTokenizer");
    EXPECT_EQ(tokenizer->tokenizer_class(), name);
  }
  write(merges, "{}");
  EXPECT_THAT(load_tokenizer(directory_.path())->encode_plain("ab"), ElementsAre(256));
  write_text(directory_ / "special_tokens_map.json", R"({"pad_token": "<pad>"})");
  EXPECT_EQ(load_tokenizer(directory_.path())->pad_id(), 259);
}

TEST_F(MergesFiles, MayBeMalformed) {
  write("#version: 0.2\na b\nab\n", "{}");
  EXPECT_THAT(refusal(), HasSubstr("merges.txt: line 3 is \"ab\", expected two pieces"));
  write("a q\n", "{}");
  EXPECT_THAT(refusal(), HasSubstr("does not join two tokens"));
  write("a b\n", R"({"tokenizer_class": "RobertaTokenizer"})");
  EXPECT_THAT(refusal(), HasSubstr("or a tokenizer.json"));
}

}  // namespace
}  // namespace roformer
