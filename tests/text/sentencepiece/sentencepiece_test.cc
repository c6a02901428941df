// Existing SentencePiece models: ids, directories, and corrupt models.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sentencepiece_processor.h>

#include <random>

#include "base/file.h"
#include "base/json.h"
#include "base/utf8.h"
#include "tests/text/sentencepiece/sentencepiece_trial.h"
#include "text/sentencepiece/tokenizer.h"

namespace roformer {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

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
  // Special tokens in the text are matched, unlike in libsentencepiece.
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

TEST(SentencePiece, NormalizationIsLibsentencepieces) {
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

// A word that libsentencepiece 0.1.97 and the package 0.2.3 segment differently, as
// tools/oracle_translation_tokenizers.py found; the scores are those of a model of Multi30k and newstest.
TEST(SentencePiece, RoundedSumsTieAsInLaterVersions) {
  using Type = SentencePieceModel::Type;
  SentencePieceModel model;
  model.pieces = {"<unk>", "▁H", "m", "mm", "."};
  model.scores = {0, -7.783974647521973F, -5.988772869110107F, -8.88541030883789F, -3.318166494369507F};
  model.types = {Type::unknown, Type::normal, Type::normal, Type::normal, Type::normal};
  const auto cut = [&](bool rounds) {
    model.rounds_before_comparing = rounds;
    const SentencePieceNormalizer normalizer(model, "model");
    std::vector<std::string> pieces;
    for (const auto& piece : SentencePieceSegmenter(model, normalizer).cut("▁Hmmm.")) {
      pieces.push_back(model.pieces[static_cast<size_t>(piece.id)]);
    }
    return pieces;
  };
  EXPECT_THAT(cut(false), ElementsAre("▁H", "mm", "m", "."));
  EXPECT_THAT(cut(true), ElementsAre("▁H", "m", "mm", "."));
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
  const auto padded = load(directory, model, R"({"pad_token": "<nopad>"})");  // becomes an added token
  EXPECT_EQ(padded->pad_id(), padded->vocabulary_size() - 1);
  EXPECT_EQ(padded->token(padded->pad_id()), "<nopad>");
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
  EXPECT_THAT(parse_error("\x0A\xFF\xFF\xFF\xFF\x0F"), HasSubstr("expected 4294967295 bytes, found 0"));
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
  model.kind = static_cast<SentencePieceModel::Kind>(4);
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

// A rule table with arbitrary offsets.
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
      EXPECT_THAT(error.what(), HasSubstr("m.model: the table of normalization rules"));
      ++refused;
    }
  }
  EXPECT_GT(refused, 0);
}

}  // namespace
}  // namespace roformer
