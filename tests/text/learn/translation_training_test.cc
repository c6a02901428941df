// Tokenizers of translators learned by this program.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sentencepiece_processor.h>

#include <random>

#include "base/json.h"
#include "tests/text/sentencepiece/sentencepiece_trial.h"
#include "text/learn/translation_training.h"

namespace roformer {
namespace {

using testing::HasSubstr;
using Kind = SentencePieceModel::Kind;

WordCounts english_words() {
  SpacedWordCounter counter;
  counter.add(small_text());
  return counter.release();
}

WordCounts german_words() {
  SpacedWordCounter counter;
  for (int i = 0; i < 30; ++i) {
    counter.add("Am Anfang schuf Gott Himmel und Erde.");
    counter.add("Und die Erde war wüst und leer, und es war finster auf der Tiefe; 王 für große Straßen");
  }
  return counter.release();
}

class LearnedTranslation : public testing::TestWithParam<std::tuple<Kind, bool>> {
 protected:
  TranslationTokenizers learn(int64_t size = 420) const {
    return learn_translation_tokenizers(english_words(), german_words(),
                                        {.kind = std::get<0>(GetParam()),
                                         .vocab_size = size,
                                         .joint = std::get<1>(GetParam()),
                                         .languages = TranslationLanguages{.source = "eng", .target = "deu"}});
  }
};
INSTANTIATE_TEST_SUITE_P(, LearnedTranslation,
                         testing::Combine(testing::Values(Kind::bpe, Kind::unigram), testing::Bool()),
                         [](const auto& test) {
                           return std::string(std::get<0>(test.param) == Kind::bpe ? "Bpe" : "Unigram") +
                                  (std::get<1>(test.param) ? "Joint" : "Separate");
                         });

// The pieces of libsentencepiece, by the tokenizer's vocabulary.
void expect_pieces_of(const std::string& model, const Tokenizer& tokenizer, const std::string& text) {
  sentencepiece::SentencePieceProcessor theirs;
  ASSERT_TRUE(theirs.LoadFromSerializedProto(model).ok());
  std::vector<std::string> pieces, ours;
  ASSERT_TRUE(theirs.Encode(text, &pieces).ok());
  for (const int32_t id : tokenizer.encode_plain(text)) ours.push_back(tokenizer.token(id));
  EXPECT_EQ(ours, pieces) << quote(text);
}

TEST_P(LearnedTranslation, IdsAreMarians) {
  const auto [source, target, shared, languages] = learn();
  EXPECT_EQ(shared, std::get<1>(GetParam()));
  ASSERT_TRUE(languages);
  EXPECT_EQ(languages->target, "deu");
  for (const Tokenizer* each : {source.get(), target.get()}) {
    EXPECT_EQ(each->sep_id(), 0);
    EXPECT_EQ(each->token(0), "</s>");
    EXPECT_EQ(each->unk_id(), 1);
    EXPECT_EQ(each->token(1), "<unk>");
    EXPECT_EQ(each->pad_id(), shared ? each->vocabulary_size() - 1 : 2);
    EXPECT_EQ(each->token(shared ? 2 : 3), "<0x00>");
    EXPECT_LE(each->vocabulary_size(), 420);
    EXPECT_GT(each->vocabulary_size(), 290);
  }
  if (shared) {
    EXPECT_EQ(source->encode("die Erde").ids, target->encode("die Erde").ids);
  } else {
    EXPECT_GT(source->encode("die Erde war").ids.size(), target->encode("die Erde war").ids.size());
  }
}

TEST_P(LearnedTranslation, TextsComeBackAndPiecesAreLibsentencepieces) {
  const auto tokenizers = learn();
  const auto files = tokenizers.source->files();
  std::mt19937 random(11);
  for (int i = 0; i < 200; ++i) {
    const std::string text = random_text(random);
    expect_pieces_of(files.at("source.spm"), *tokenizers.source, text);
    expect_pieces_of(files.at("target.spm"), *tokenizers.target, text);
  }
  for (const std::string text : {"Und die Erde war wüst", "zq 王 \U0001F600\U0001F601 x", "a"}) {
    for (const Tokenizer* each : {tokenizers.source.get(), tokenizers.target.get()}) {
      EXPECT_EQ(each->decode(each->encode(text).ids), text);
    }
  }
  EXPECT_EQ(tokenizers.target->decode(tokenizers.target->encode("  two \u00a0 \ufb01nds ").ids), "two finds");
}

TEST_P(LearnedTranslation, SurviveTheirFilesAndDependOnTheWordsAlone) {
  const auto tokenizers = learn();
  const auto files = tokenizers.source->files();
  EXPECT_TRUE(learn().source->files() == files);
  EXPECT_EQ(files.contains("target_vocab.json"), !tokenizers.shared);
  TempDirectory saved;
  for (const auto& [name, content] : files) write_text(saved / name, content);
  const auto again = load_translation_tokenizers(saved.path());
  EXPECT_TRUE(again.source->files() == files);
  EXPECT_EQ(again.languages->source, "eng");
  EXPECT_EQ(again.shared, tokenizers.shared);
  EXPECT_EQ(again.target->encode("Und die Erde").ids, tokenizers.target->encode("Und die Erde").ids);
}

TEST_P(LearnedTranslation, TooSmallAndNothing) {
  EXPECT_THAT(message_of<UsageError>([&] { learn(265); }), HasSubstr("vocab_size 265 is too small"));
  TranslationTokenizerTraining options{.vocab_size = 400, .joint = std::get<1>(GetParam()), .languages = {}};
  EXPECT_THAT(message_of<DataError>([&] { learn_translation_tokenizers({}, {}, options); }),
              HasSubstr(options.joint ? "text of both languages: no words" : "text of the source language: no words"));
}

TEST(LearnedTranslationOptions, BytesAndCaseFolding) {
  const auto folded = learn_translation_tokenizers(english_words(), german_words(),
                                                   {.vocab_size = 400, .lowercase = true, .languages = {}});
  EXPECT_EQ(folded.source->encode("THE").ids, folded.source->encode("the").ids);
  const auto without = learn_translation_tokenizers(english_words(), german_words(),
                                                    {.vocab_size = 200, .byte_fallback = false, .languages = {}});
  EXPECT_THAT(without.source->encode_plain("\u4e2d"), testing::Contains(without.source->unk_id()));
}

TEST(SpacedWords, MayBeCountedTextByText) {
  TempDirectory directory;
  write_text(directory / "text.txt", small_text());
  ThreadPool pool(2);
  EXPECT_TRUE(english_words() ==
              count_spaced_words(std::vector<std::string>{directory / "text.txt"}, kMaxWordBytes, pool));
}

}  // namespace
}  // namespace roformer
