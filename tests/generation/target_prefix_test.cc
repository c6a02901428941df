// What a translation is to begin with, as a condition on tokens and through the search.
#include "generation/target_prefix.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <numeric>

#include "generation/translator.h"
#include "text/translation_tokenizers.h"

namespace roformer::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::StartsWith;

class TargetPrefixTest : public ::testing::Test {
 protected:
  std::vector<int32_t> ids(std::string_view text) const { return tokenizer_->encode_plain(text); }
  // Which tokens may follow, as they are written.
  std::vector<std::string> next(const TargetPrefix& prefix, const std::vector<int32_t>& generated) const {
    std::vector<std::string> tokens;
    const auto allowed = prefix.allowed(generated, ends_);
    EXPECT_TRUE(allowed);
    for (const int32_t id : allowed.value_or(std::vector<int32_t>())) tokens.push_back(tokenizer_->token(id));
    return tokens;
  }

  std::unique_ptr<Tokenizer> tokenizer_ =
      load_translation_tokenizers(ROFORMER_SOURCE_DIR "/tests/fixtures/marian/shared").target;
  std::vector<int32_t> ends_{tokenizer_->sep_id()};
};

TEST_F(TargetPrefixTest, NothingAsked) {
  for (const char* text : {"", "  "}) {
    EXPECT_FALSE(TargetPrefix(*tokenizer_, text).allowed({}, ends_)) << "'" << text << "'";
  }
}

TEST_F(TargetPrefixTest, WordsBeforeTheLastAreForced) {
  const TargetPrefix prefix(*tokenizer_, "der Mann das");
  const std::vector<int32_t> whole = ids("der Mann das");
  const std::vector<int32_t> forced = ids("der Mann");
  std::vector<int32_t> generated;
  for (const int32_t id : forced) {
    EXPECT_THAT(prefix.allowed(generated, ends_).value(), ElementsAre(id));
    generated.push_back(id);
  }
  EXPECT_THAT(next(prefix, generated), ::testing::Each(StartsWith("\u2581")));
  EXPECT_FALSE(prefix.allowed(whole, ends_));
}

// The last word may be spelled by any tokens, and go on.
TEST_F(TargetPrefixTest, TheLastWordIsOpen) {
  const TargetPrefix prefix(*tokenizer_, "da");
  const auto first = next(prefix, {});
  EXPECT_THAT(first, ::testing::Not(IsEmpty()));
  for (const std::string& token : first) {
    EXPECT_TRUE(token.starts_with("\u2581da") || std::string("\u2581da").starts_with(token)) << token;
  }
  const int32_t space = tokenizer_->id("\u2581").value(), d = tokenizer_->id("d").value(),
                a = tokenizer_->id("a").value();
  EXPECT_THAT(first, ::testing::Contains("\u2581"));
  EXPECT_THAT(next(prefix, {space, d}), ::testing::Each(StartsWith("a")));
  EXPECT_FALSE(prefix.allowed(std::vector{space, d, a}, ends_));
}

TEST_F(TargetPrefixTest, ASpaceEndsTheLastWord) {
  const TargetPrefix prefix(*tokenizer_, "das ");
  const std::vector<int32_t> word = ids("das");
  for (const std::string& token : next(prefix, word)) {
    EXPECT_TRUE(token.starts_with("\u2581") || token == tokenizer_->token(ends_[0])) << token;
  }
  std::vector<int32_t> more = word;
  more.push_back(word[0]);
  EXPECT_FALSE(prefix.allowed(more, ends_));
}

// A character that no token has is forced as what it is encoded to.
TEST_F(TargetPrefixTest, UnknownCharacters) {
  const TargetPrefix prefix(*tokenizer_, "\u0416");
  EXPECT_EQ(prefix.allowed({}, ends_).value(), std::vector{ids("\u0416")[0]});
}

TEST_F(TargetPrefixTest, TranslationsBeginWithIt) {
  ThreadPool pool(1);
  const auto backend = make_reference_backend(pool, DType::float64);
  const int64_t words = tokenizer_->vocabulary_size(), pad = tokenizer_->pad_id();
  const Json json = {{"model_type", "marian"},       {"architectures", {"MarianMTModel"}},
                     {"vocab_size", words},          {"d_model", 16},
                     {"encoder_layers", 1},          {"decoder_layers", 1},
                     {"encoder_attention_heads", 2}, {"decoder_attention_heads", 2},
                     {"encoder_ffn_dim", 24},        {"decoder_ffn_dim", 24},
                     {"pad_token_id", pad},          {"init_std", 0.7},
                     {"eos_token_id", ends_[0]},     {"decoder_start_token_id", pad}};
  Model model(*backend, read_config(JsonObject(json, "config.json")), false);
  model.initialize({5, 0});
  const std::vector<std::vector<int32_t>> sources{{30, 31, 32, 0}, {33, 0}, {40, 41, 0}};
  const TargetPrefix half(*tokenizer_, "das Ha"), whole(*tokenizer_, "der Mann "), none(*tokenizer_, "");
  const std::vector<SourceSettings> settings{{.prefix = &half}, {.prefix = &whole}, {.prefix = &none}};
  for (TranslatorOptions options :
       {TranslatorOptions{.candidates = 4, .longest = 12}, TranslatorOptions{.beams = 1, .max_new_tokens = 14},
        TranslatorOptions{.sampling = SamplingOptions{}, .candidates = 4, .longest = 9},
        TranslatorOptions{.candidates = 2, .longest = 12, .no_repeat_ngram = 1}}) {
    options.banned = {static_cast<int32_t>(pad)};
    const Translator translator(model, options);
    const auto results = translator.run(sources, settings);
    for (const Hypothesis& one : results[0]) EXPECT_THAT(tokenizer_->decode(one.ids), StartsWith("das Ha"));
    for (const Hypothesis& one : results[1]) {
      const std::string text = tokenizer_->decode(one.ids);
      EXPECT_TRUE(text == "der Mann" || text.starts_with("der Mann ")) << text;
    }
    if (!options.sampling) {
      EXPECT_EQ(results[2].front().ids, translator.run({&sources[2], 1}).front().front().ids);
    }
    // Scores have the prefix's tokens, too.
    std::vector<std::vector<int32_t>> targets;
    for (const auto& hypotheses : results) targets.push_back(hypotheses.front().ids);
    const auto logs = translator.score(sources, targets);
    for (size_t i = 0; i < targets.size(); ++i) {
      const double sum = std::accumulate(logs[i].begin(), logs[i].end(), 0.0);
      EXPECT_NEAR(results[i].front().score, hypothesis_score(sum, targets[i].size(), 0.6, LengthPenalty::power), 1e-9);
    }
  }
}

}  // namespace
}  // namespace roformer::test
