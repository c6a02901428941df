#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sentencepiece_processor.h>
#include <sentencepiece_trainer.h>

#include <random>
#include <thread>

#include "base/file.h"
#include "base/json.h"
#include "tests/text/packed_text.h"
#include "tests/text/tokenizer_files.h"
#include "text/sentencepiece_tokenizer.h"
#include "text/sentencepiece_training.h"
#include "text/text_counts.h"

namespace roformer {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Kind = SentencePieceModel::Kind;

// Enough for some hundred pieces, with characters of one to four bytes.
std::string small_text() {
  std::string text;
  for (int i = 0; i < 40; ++i) {
    text += "In the beginning God created the heaven and the earth.\nAnd the earth was without form, and void;\n";
    text += "the caf\u00e9 said: " + std::to_string(i * 37) + " kings, naïve words — and 王 \U0001F600 too\n";
    text += "darkness was upon the face of the deep " + std::string(static_cast<size_t>(i % 4), ' ') + "waters\n";
  }
  return text;
}

const std::vector<std::string>& texts() {
  static const std::vector<std::string> all = {
      "",
      " ",
      "   ",
      "the",
      " the",
      "In the beginning God created the heaven and the earth.",
      "  two  spaces   and trailing ",
      "line\nend\ttab\r\n\n",
      "caf\u00e9 cafe\u0301 \ufb01ne \u2460 \uFF21 na\u00efve 王 中文 \U0001F600\U0001F601",
      "\u2581literal \u2581",
      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
      "theheavenandtheearth was were",
      "<sep> is <s> here <0x41> <sym>bol <symb>",
      "\u3000wide\u00a0space\u200bzero",
  };
  return all;
}

// Texts of random parts of those above.
std::string random_text(std::mt19937& random) {
  static constexpr const char* kParts[] = {"the",        " ",          "heaven", "ea",     "rth",         "王",
                                           "\U0001F600", "\n",         "caf",    "\u00e9", "  ",          "zq",
                                           "<sym>",      "beginning ", "1234",   "\u0301", "\t",          "A",
                                           "void",       "\ufb01",     "ss",     ". ",     "was without", ","};
  std::string text;
  for (unsigned n = random() % 30; n-- > 0;) text += kParts[random() % std::size(kParts)];
  return text;
}

std::string learn(const std::unordered_map<std::string, std::string>& more, const TempDirectory& directory) {
  std::unordered_map<std::string, std::string> arguments = {
      {"minloglevel", "3"}, {"input", directory / "text.txt"}, {"hard_vocab_limit", "false"}, {"num_threads", "2"}};
  for (const auto& [key, value] : more) arguments[key] = value;
  write_text(directory / "text.txt", small_text());
  arguments["model_prefix"] = directory / "m";
  const auto status = sentencepiece::SentencePieceTrainer::Train(arguments);
  EXPECT_TRUE(status.ok()) << status.ToString();
  return read_file(directory / "m.model", 1 << 28);
}

std::unique_ptr<Tokenizer> load(const TempDirectory& directory, const std::string& model,
                                std::string_view config = "{}") {
  write_text(directory / "tokenizer.model", model);
  write_text(directory / "tokenizer_config.json", config);
  return load_tokenizer(directory.path());
}

// Ids, offsets and decoded text are libsentencepiece's.
void expect_same(const Tokenizer& tokenizer, const std::string& model, const std::string& text) {
  sentencepiece::SentencePieceProcessor theirs;
  ASSERT_TRUE(theirs.LoadFromSerializedProto(model).ok());
  const auto encoded = theirs.EncodeAsImmutableProto(text);
  std::vector<int32_t> ids;
  std::vector<std::array<int64_t, 2>> offsets;
  const auto place = [&](uint32_t byte) { return count_code_points(std::string_view(text).substr(0, byte)); };
  for (const auto& piece : encoded.pieces()) {
    ids.push_back(static_cast<int32_t>(piece.id()));
    offsets.push_back({place(piece.begin()), place(piece.end())});
  }
  EXPECT_EQ(tokenizer.encode_plain(text), ids) << quote(text);
  const Encoding ours = tokenizer.encode(text);
  for (size_t i = 0; i < ids.size() && ours.ids.size() > ids.size(); ++i) {
    if (theirs.IsByte(ids[i])) continue;  // theirs are empty but for the last byte's
    EXPECT_EQ(ours.offsets[i + 1], offsets[i]) << quote(text) << " piece " << i;
  }
  std::vector<int> known;
  for (const int32_t id : ids) {
    if (!theirs.IsUnknown(id)) known.push_back(id);
  }
  std::string decoded;
  ASSERT_TRUE(theirs.Decode(known, &decoded).ok());
  EXPECT_EQ(tokenizer.decode(ids), decoded) << quote(text);
}

void expect_same(const std::unordered_map<std::string, std::string>& arguments) {
  TempDirectory directory;
  const std::string model = learn(arguments, directory);
  const auto tokenizer = load(directory, model, R"({"tokenizer_class": "LlamaTokenizer"})");
  // Special tokens written in a text are found there, which libsentencepiece does not do.
  const auto has_special = [](const std::string& text) { return text.find("<s>") != text.npos; };
  for (const std::string& text : texts()) {
    if (!has_special(text)) expect_same(*tokenizer, model, text);
  }
  std::mt19937 random(7);
  for (int i = 0; i < 300; ++i) expect_same(*tokenizer, model, random_text(random));
}

TEST(SentencePiece, BpeIsLibsentencepieces) {
  expect_same({{"model_type", "bpe"}, {"vocab_size", "420"}, {"byte_fallback", "true"}});
  expect_same({{"model_type", "bpe"}, {"vocab_size", "200"}});
}

TEST(SentencePiece, UnigramIsLibsentencepieces) {
  expect_same({{"model_type", "unigram"}, {"vocab_size", "400"}, {"byte_fallback", "true"}});
  expect_same({{"model_type", "unigram"}, {"vocab_size", "150"}});
}

TEST(SentencePiece, NormalisationIsLibsentencepieces) {
  for (const char* kind : {"bpe", "unigram"}) {
    for (const char* rule : {"nmt_nfkc", "nfkc_cf", "identity"}) {
      for (const char* spaces : {"true", "false"}) {
        expect_same({{"model_type", kind},
                     {"vocab_size", "160"},
                     {"normalization_rule_name", rule},
                     {"remove_extra_whitespaces", spaces},
                     {"add_dummy_prefix", spaces},
                     {"user_defined_symbols", "<sym>,ss,\u00e9"}});
      }
    }
  }
}

// Pieces across spaces: merges do not stay within words.
TEST(SentencePiece, PiecesMayHoldSpaces) {
  expect_same({{"model_type", "bpe"}, {"vocab_size", "300"}, {"split_by_whitespace", "false"}});
  expect_same({{"model_type", "bpe"},
               {"vocab_size", "300"},
               {"allow_whitespace_only_pieces", "true"},
               {"remove_extra_whitespaces", "false"}});
}

TEST(SentencePiece, UnusedPiecesComeApart) {
  TempDirectory directory;
  for (const char* kind : {"bpe", "unigram"}) {
    SentencePieceModel model =
        parse_sentencepiece_model(learn({{"model_type", kind}, {"vocab_size", "200"}}, directory), "model");
    for (size_t id = 10; id < model.pieces.size(); id += 3) {
      if (count_code_points(model.pieces[id]) > 1) model.types[id] = SentencePieceModel::Type::unused;
    }
    const std::string file = write_sentencepiece_model(model);
    const auto tokenizer = load(directory, file, R"({"tokenizer_class": "LlamaTokenizer"})");
    std::mt19937 random(3);
    for (int i = 0; i < 100; ++i) expect_same(*tokenizer, file, random_text(random));
  }
}

class Trained : public testing::TestWithParam<Kind> {
 protected:
  std::unique_ptr<Tokenizer> train(const TokenizerTraining& options, const std::string& text, int threads = 2) {
    write_text(directory_ / "input.txt", text);
    ThreadPool pool(threads);
    return train_sentencepiece(std::vector<std::string>{directory_ / "input.txt"}, options, GetParam(), pool);
  }
  TempDirectory directory_;
};
INSTANTIATE_TEST_SUITE_P(Kinds, Trained, testing::Values(Kind::bpe, Kind::unigram),
                         [](const auto& info) { return info.param == Kind::bpe ? "Bpe" : "Unigram"; });

TEST_P(Trained, GivesTheTextBack) {
  const auto tokenizer = train({.vocabulary_size = 420}, small_text());
  EXPECT_LE(tokenizer->vocabulary_size(), 420);
  EXPECT_GT(tokenizer->vocabulary_size(), 300);
  EXPECT_EQ(tokenizer->pad_id(), 0);
  EXPECT_EQ(tokenizer->unk_id(), 1);
  EXPECT_EQ(tokenizer->cls_id(), 2);
  EXPECT_EQ(tokenizer->sep_id(), 3);
  EXPECT_EQ(tokenizer->mask_id(), 4);
  EXPECT_EQ(tokenizer->token(4), "[MASK]");
  const auto check = [&](const std::string& text) {
    const auto ids = tokenizer->encode_plain(text);
    EXPECT_EQ(tokenizer->decode(ids), text) << quote(text);
    EXPECT_EQ(std::ranges::count(ids, tokenizer->unk_id()), 0);
  };
  std::mt19937 random(5);
  for (const std::string& text : texts()) {
    if (text.find(kSentencePieceSpace) == text.npos) check(text);
  }
  for (int i = 0; i < 200; ++i) check(random_text(random));
  check(small_text());
  EXPECT_EQ(tokenizer->decode(tokenizer->encode_plain("a\u2581b")), "a b");  // as documented
  EXPECT_LT(tokenizer->encode_plain("the beginning").size(), 12u);
}

TEST_P(Trained, DependsOnTheTextAlone) {
  const auto one = train({.vocabulary_size = 400}, small_text(), 1)->files();
  EXPECT_TRUE(one == train({.vocabulary_size = 400}, small_text(), 3)->files());
  EXPECT_TRUE(one == train({.vocabulary_size = 400}, gzip(small_text()))->files());
  EXPECT_TRUE(one == train({.vocabulary_size = 400}, zstandard(small_text()))->files());
  EXPECT_FALSE(one == train({.vocabulary_size = 400, .lowercase = true}, small_text())->files());
}

TEST_P(Trained, SurvivesItsFiles) {
  const auto tokenizer = train({.vocabulary_size = 400}, small_text());
  TempDirectory saved;
  for (const auto& [name, content] : tokenizer->files()) write_text(saved / name, content);
  const auto again = load_tokenizer(saved.path());
  EXPECT_EQ(again->type(), GetParam() == Kind::bpe ? "bpe" : "unigram");
  EXPECT_TRUE(again->files() == tokenizer->files());
  EXPECT_EQ(again->encode("the earth", "was void").ids, tokenizer->encode("the earth", "was void").ids);
  EXPECT_EQ(again->mask_id(), 4);
}

// The mask takes the space before it, as the piece does that it stands for; what follows it keeps its own.
TEST_P(Trained, MasksStandForPieces) {
  const auto tokenizer = train({.vocabulary_size = 400}, small_text());
  std::vector<int32_t> expected = tokenizer->encode_plain("the earth");
  expected.push_back(tokenizer->mask_id());
  const auto whole = tokenizer->encode_plain("x was");
  expected.insert(expected.end(), whole.begin() + static_cast<long>(tokenizer->encode_plain("x").size()), whole.end());
  EXPECT_EQ(tokenizer->encode_plain("the earth [MASK] was"), expected);
  const Encoding encoding = tokenizer->encode("the earth [MASK] was");
  const auto mask = std::ranges::find(encoding.ids, tokenizer->mask_id()) - encoding.ids.begin();
  EXPECT_THAT(encoding.offsets[static_cast<size_t>(mask)], ElementsAre(10, 16));
  EXPECT_EQ(encoding.offsets[static_cast<size_t>(mask) + 1][0], 16);
  EXPECT_EQ(encoding.ids.front(), tokenizer->cls_id());
  EXPECT_EQ(encoding.ids.back(), tokenizer->sep_id());
}

TEST_P(Trained, WordsBeginAtSpaces) {
  const auto tokenizer = train({.vocabulary_size = 400}, small_text());
  std::vector<std::string> words;
  for (const int32_t id : tokenizer->encode_plain("heaven zebra\nking")) {
    std::string text;
    DecodeState state{.at_start = false};
    tokenizer->append_text(id, state, text);
    if (words.empty() || !tokenizer->is_continuation(id)) words.emplace_back();
    words.back() += text;
  }
  EXPECT_THAT(words, ElementsAre(" heaven", " zebra", "\nking"));
  EXPECT_FALSE(tokenizer->is_continuation(tokenizer->mask_id()));
}

TEST_P(Trained, TooSmallAndNothing) {
  EXPECT_THAT(message_of<UsageError>([&] { train({.vocabulary_size = 270}, small_text()); }),
              HasSubstr("special tokens, bytes and characters need at least 3"));
  EXPECT_THAT(message_of<DataError>([&] { train({.vocabulary_size = 400}, " \n\t \n"); }), HasSubstr("no words"));
  for (const char* text : {"a", "a b", "aa\naa aa", "\u0301", "\x01", "[MASK] [CLS]", "a\u2585b", "\u2581"}) {
    try {  // little as it is, it ends in a tokenizer or an error
      EXPECT_EQ(
          train({.vocabulary_size = 300}, text)->decode(train({.vocabulary_size = 300}, text)->encode_plain("xyz")),
          "xyz");
    } catch (const DataError&) {
    }
  }
}

TEST_P(Trained, ManyThreadsMayEncode) {
  const auto tokenizer = train({.vocabulary_size = 400}, small_text());
  const auto expected = tokenizer->encode(small_text()).ids;
  std::vector<std::thread> threads;
  std::array<bool, 4> same{};
  for (size_t i = 0; i < same.size(); ++i) {
    threads.emplace_back([&, i] { same[i] = tokenizer->encode(small_text()).ids == expected; });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_THAT(same, testing::Each(true));
}

TEST(SentencePieceDirectory, FramesAreTheirs) {
  TempDirectory directory;
  const std::string model = learn({{"model_type", "bpe"}, {"vocab_size", "420"}, {"byte_fallback", "true"}}, directory);
  const auto pieces = [&](std::string_view config, std::optional<std::string_view> pair = std::nullopt) {
    const auto tokenizer = load(directory, model, config);
    std::vector<std::string> names;
    for (const int32_t id : tokenizer->encode("the", pair).ids) names.push_back(tokenizer->token(id));
    return names;
  };
  EXPECT_THAT(pieces(R"({"tokenizer_class": "LlamaTokenizer"})"), ElementsAre("<s>", "▁the"));
  EXPECT_THAT(pieces(R"({"tokenizer_class": "LlamaTokenizerFast"})", "was"), ElementsAre("<s>", "▁the", "<s>", "▁was"));
  EXPECT_THAT(pieces(R"({"tokenizer_class": "LlamaTokenizer", "add_eos_token": true})"),
              ElementsAre("<s>", "▁the", "</s>"));
  EXPECT_THAT(pieces(R"({"tokenizer_class": "LlamaTokenizer", "add_bos_token": false})"), ElementsAre("▁the"));
  EXPECT_THAT(pieces(R"({"tokenizer_class": "T5Tokenizer"})", "was"), ElementsAre("▁the", "</s>", "▁was", "</s>"));
  EXPECT_THAT(pieces("{}"), ElementsAre("<s>", "▁the"));
  EXPECT_THAT(message_of<DataError>([&] { pieces(R"({"tokenizer_class": "BertTokenizer"})"); }),
              HasSubstr("expected LlamaTokenizer"));
  EXPECT_THAT(message_of<DataError>([&] { pieces(R"({"pad_token": "<nopad>"})"); }), HasSubstr("\"<nopad>\""));
  const auto llama = load(directory, model, R"({"tokenizer_class": "LlamaTokenizer"})");
  EXPECT_FALSE(llama->has_mask());
  EXPECT_THAT(message_of<DataError>([&] { llama->mask_id(); }), HasSubstr("no mask token"));
  EXPECT_EQ(llama->pad_id(), llama->sep_id());
}

TEST(SentencePieceDirectory, LegacyPutsASpaceBeforeEachPart) {
  TempDirectory directory;
  const std::string model = learn({{"model_type", "bpe"}, {"vocab_size", "420"}, {"byte_fallback", "true"}}, directory);
  const auto ids = [&](std::string_view config) { return load(directory, model, config)->encode_plain("the<s>the"); };
  const auto legacy = ids(R"({"tokenizer_class": "LlamaTokenizer"})");
  EXPECT_EQ(legacy, ids(R"({"tokenizer_class": "LlamaTokenizer", "legacy": true})"));
  EXPECT_EQ(legacy.front(), legacy.back());
  EXPECT_NE(legacy, ids(R"({"tokenizer_class": "LlamaTokenizer", "legacy": false})"));
}

TEST(SentencePieceDirectory, AddedTokens) {
  TempDirectory directory;
  const std::string model = learn({{"model_type", "bpe"}, {"vocab_size", "420"}, {"byte_fallback", "true"}}, directory);
  const auto size = std::to_string(parse_sentencepiece_model(model, "model").pieces.size());
  const auto tokenizer =
      load(directory, model,
           R"({"tokenizer_class": "LlamaTokenizer", "pad_token": "<pad>", "added_tokens_decoder": {")" + size +
               R"(": {"content": "<pad>", "special": true, "normalized": false}}})");
  EXPECT_EQ(std::to_string(tokenizer->pad_id()), size);
  EXPECT_EQ(tokenizer->decode(tokenizer->encode_plain("the<pad>was")), "the was");
  TempDirectory saved;
  for (const auto& [name, content] : tokenizer->files()) write_text(saved / name, content);
  EXPECT_EQ(load_tokenizer(saved.path())->pad_id(), tokenizer->pad_id());
}

std::string parse_error(const std::string& model) {
  return message_of<DataError>([&] { parse_sentencepiece_model(model, "m.model"); });
}

TEST(SentencePieceModelFile, BadModelsAreRefused) {
  SentencePieceModel model;
  const auto set = [&](std::vector<std::string> pieces, std::vector<SentencePieceModel::Type> types) {
    model.pieces = std::move(pieces);
    model.types = std::move(types);
    model.scores.assign(model.pieces.size(), 0);
  };
  using enum SentencePieceModel::Type;
  set({"<unk>", "a"}, {unknown, normal});
  EXPECT_EQ(parse_error(write_sentencepiece_model(model)), "");
  EXPECT_THAT(parse_error(""), HasSubstr("m.model: no pieces"));
  EXPECT_THAT(parse_error("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"), HasSubstr("more than 10 bytes"));
  EXPECT_THAT(parse_error("{\"model\": 1}"), HasSubstr("m.model: byte "));
  EXPECT_THAT(parse_error("\x0A\xFF\xFF\xFF\xFF\x0F"), HasSubstr("4294967295 bytes expected, 0 are left"));
  set({"<unk>", "a", "a"}, {unknown, normal, normal});
  EXPECT_THAT(parse_error(write_sentencepiece_model(model)), HasSubstr("pieces 1 and 2 are both \"a\""));
  set({"<unk>", ""}, {unknown, normal});
  EXPECT_THAT(parse_error(write_sentencepiece_model(model)), HasSubstr("piece 1 is empty"));
  set({"<unk>", "\xC3"}, {unknown, normal});
  EXPECT_THAT(parse_error(write_sentencepiece_model(model)), HasSubstr("piece 1 is not UTF-8"));
  set({"a"}, {normal});
  EXPECT_THAT(parse_error(write_sentencepiece_model(model)), HasSubstr("0 pieces of type unknown"));
  set({"<unk>", "<0x4>"}, {unknown, byte});
  EXPECT_THAT(parse_error(write_sentencepiece_model(model)), HasSubstr("expected <0x00> to <0xFF>"));
  set({"<unk>", "a"}, {unknown, static_cast<SentencePieceModel::Type>(7)});
  EXPECT_THAT(parse_error(write_sentencepiece_model(model)), HasSubstr("of type 7"));
  set({"<unk>", "a"}, {unknown, normal});
  model.scores[1] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(parse_error(write_sentencepiece_model(model)), HasSubstr("score of piece 1 is not finite"));
  model.scores[1] = 0;
  model.byte_fallback = true;
  EXPECT_THAT(parse_error(write_sentencepiece_model(model)), HasSubstr("0 of 256 bytes"));
  model.byte_fallback = false;
  model.kind = static_cast<Kind>(4);
  EXPECT_THAT(parse_error(write_sentencepiece_model(model)), HasSubstr("a model of type 4"));
}

TEST(SentencePieceModelFile, DamagedModelsEndInAnError) {
  TempDirectory directory;
  const std::string model = learn({{"model_type", "unigram"}, {"vocab_size", "100"}}, directory);
  const auto use = [&](const std::string& damaged) {
    try {
      const auto tokenizer = load(directory, damaged, R"({"tokenizer_class": "LlamaTokenizer"})");
      for (const std::string& text : texts()) tokenizer->decode(tokenizer->encode(text).ids, true);
    } catch (const DataError&) {
    }
  };
  std::mt19937 random(11);
  for (int i = 0; i < 300; ++i) {
    use(model.substr(0, random() % model.size()));
    std::string changed = model;
    for (unsigned n = 1 + random() % 4; n-- > 0;) changed[random() % changed.size()] = static_cast<char>(random());
    use(changed);
  }
}

// A table of rules that leads anywhere.
TEST(SentencePieceModelFile, DamagedRulesEndInAnError) {
  TempDirectory directory;
  SentencePieceModel model = parse_sentencepiece_model(
      learn({{"model_type", "bpe"}, {"vocab_size", "100"}, {"normalization_rule_name", "nfkc"}}, directory), "model");
  ASSERT_GT(model.rules.size(), 100'000u);
  const std::string good = model.rules;
  std::mt19937 random(13);
  int refused = 0;
  for (int i = 0; i < 200; ++i) {
    model.rules = good;
    for (int n = 0; n < 3000; ++n) model.rules[4 + random() % (i % 2 ? 2000 : 100'000)] = static_cast<char>(random());
    if (i % 10 == 0) model.rules.resize(random() % good.size());
    try {
      const SentencePieceNormalizer normalizer(model, "m.model");
      for (const std::string& text : texts()) normalizer.normalize(text, true, true);
    } catch (const DataError& error) {
      EXPECT_THAT(error.what(), HasSubstr("m.model: the table of normalisation rules"));
      ++refused;
    }
  }
  EXPECT_GT(refused, 0);
}

TEST(SpacedWords, AreCountedWithinBounds) {
  TempDirectory directory;
  std::string text = "a\u2581b\tc c\nx\u2585y  \n" + std::string(2500, 'z') + "\n";
  write_text(directory / "words.txt", text);
  ThreadPool pool(2);
  const std::vector<std::string> paths = {directory / "words.txt"};
  const WordCounts counts = count_spaced_words(paths, 1 << 20, pool);
  EXPECT_EQ(counts.size(), 5u);  // a, b, c, 1000 z, 500 z
  EXPECT_EQ(counts.at("c"), 2);
  EXPECT_EQ(counts.at(std::string(1000, 'z')), 2);
  text.clear();
  for (int i = 0; i < 200'000; ++i) text += "often " + std::to_string(i) + (i % 10 ? " " : "\n");
  write_text(directory / "words.txt", text);
  const WordCounts few = count_spaced_words(paths, 100'000, pool);
  size_t bytes = 0, early = 0;
  for (const auto& [word, count] : few) {
    bytes += word.size();
    early += word.size() < 6;
  }
  EXPECT_LE(bytes, 100'000u);
  EXPECT_GT(bytes, 20'000u);
  EXPECT_EQ(few.at("often"), 200'000);
  EXPECT_GT(early, few.size() / 4);  // of the first half as well as of the second
  ThreadPool other(1);
  EXPECT_TRUE(few == count_spaced_words(paths, 100'000, other));
}

}  // namespace
}  // namespace roformer
