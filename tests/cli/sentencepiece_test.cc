// SentencePiece tokenizers in the program: learned, used and trained with.
#include <nlohmann/json.hpp>

#include "tests/cli/program.h"

namespace roformer::test {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class SentencePieceProgram : public Workshop {
 protected:
  SentencePieceProgram() {
    std::string text;
    for (int i = 0; i < 60; ++i) {
      text += "In the beginning God created the heaven and the earth number " + std::to_string(i) + ".\n\n";
      text += "And the earth was without form, and void; and darkness was upon the face of the deep.\n\n";
    }
    put(path("text.txt"), text);
  }
  Outcome learn(const std::string& type, const Arguments& more = {}) const {
    return run(Arguments{"train-tokenizer", "--type", type, "--vocab-size", "320", "--input", path("text.txt"),
                         "--output", path(type)} +
               more);
  }
};

TEST_F(SentencePieceProgram, IdsComeBackAsText) {
  for (const char* type : {"bpe", "unigram"}) {
    const Outcome learned = learn(type);
    ASSERT_EQ(learned.exit_code, 0) << learned.error;
    // So little text has fewer pieces that a unigram model retains.
    const bool bpe = std::string(type) == "bpe";
    EXPECT_THAT(bpe ? learned.output : learned.error, HasSubstr(bpe ? "320 tokens" : "fewer than --vocab-size 320"));
    const std::string sentence = "  In the  beginning\t\U0001F600 caf\u00e9 王";
    const Outcome ids = run({"tokenize", "--model", path(type), "--ids", sentence});
    EXPECT_THAT(ids.output, StartsWith("2 "));
    EXPECT_THAT(ids.output, ::testing::EndsWith(" 3\n"));
    EXPECT_EQ(
        run({"tokenize", "--model", path(type), "--decode"}, {.input = ids.output, .file_limit = {}, .environment = {}})
            .output,
        sentence + "\n");
    const std::string list =
        Json::parse(run({"tokenize", "--model", path(type), "--json", sentence}).output)["ids"].dump();
    const Outcome decoded = run({"tokenize", "--model", path(type), "--decode", "--json", list});
    EXPECT_EQ(Json::parse(decoded.output), Json({{"text", sentence}}));
  }
}

TEST_F(SentencePieceProgram, TranslatorsHaveTwoTokenizers) {
  put(path("target.txt"), "Am Anfang schuf Gott Himmel und Erde.\nUnd die Erde war wüst und leer.\n");
  const auto learn_both = [&](const Arguments& more) {
    return run(Arguments{"train-tokenizer", "--type", "bpe", "--vocab-size", "320", "--input", path("text.txt"),
                         "--output", path("translator")} +
               more);
  };
  const Arguments target = {"--target-input", path("target.txt")};
  EXPECT_THAT(learn_both(target).output, HasSubstr("320 tokens of both languages"));
  const Outcome two = learn_both(target + Arguments{"--separate-vocabularies"});
  EXPECT_THAT(two.output, HasSubstr("320 and "));
  const Arguments tokenize = {"tokenize", "--model", path("translator")};
  const std::string text = "Und die Erde 王.";
  const Outcome source = run(tokenize + Arguments{text}), german = run(tokenize + Arguments{"--target", text});
  EXPECT_THAT(german.output, ::testing::EndsWith(" </s>\n"));
  EXPECT_LT(german.output.size(), source.output.size());
  const std::string ids = run(tokenize + Arguments{"--target", "--ids", "--save", path("saved"), text}).output;
  const Outcome decoded = run({"tokenize", "--model", path("saved"), "--target", "--decode"},
                              {.input = ids, .file_limit = {}, .environment = {}});
  EXPECT_EQ(decoded.output, text + "\n");
  for (const char* file : {"source.spm", "target_vocab.json", "tokenizer_config.json"}) {
    EXPECT_EQ(content(path("saved/") + file), content(path("translator/") + file)) << file;
  }
  EXPECT_EQ(learn_both({"--separate-vocabularies"}).exit_code, 2);
  EXPECT_THAT(learn_both({"--separate-vocabularies"}).error, HasSubstr("requires --target-input"));
  EXPECT_THAT(
      run(Arguments{"train-tokenizer", "--type", "char", "--input", path("text.txt"), "--output", path("char")} +
          target)
          .error,
      HasSubstr("--target-input: expected --type bpe"));
  EXPECT_THAT(run(tokenize + Arguments{"--target", "--tokenizer-mode", "slow", text}).error,
              HasSubstr("a translator's tokenizers take no --tokenizer-mode"));
  EXPECT_EQ(learn("unigram").exit_code, 0);
  EXPECT_THAT(run({"tokenize", "--model", path("unigram"), "--target", text}).error,
              HasSubstr("expected MarianTokenizer"));
}

TEST_F(SentencePieceProgram, WhatIsNoIdIsRefused) {
  ASSERT_EQ(learn("bpe").exit_code, 0);
  const auto decode = [&](const std::string& ids) {
    return run({"tokenize", "--model", path("bpe"), "--decode", ids});
  };
  EXPECT_THAT(decode("2 320").error, HasSubstr("token id 320 is outside the vocabulary of 320"));
  EXPECT_THAT(decode("2 x").error, HasSubstr("\"x\" is not a token id"));
  EXPECT_THAT(decode("[2, 1.5]").error, HasSubstr("\"1.5\" is not a token id"));
  EXPECT_THAT(decode("[2").error, HasSubstr("ids"));
  EXPECT_EQ(decode("").output, "\n");
  const Outcome both = run({"tokenize", "--model", path("bpe"), "--decode", "--ids", "2"});
  EXPECT_EQ(both.exit_code, 2);
}

TEST_F(SentencePieceProgram, ModelsAreTrainedWithThem) {
  ASSERT_EQ(learn("unigram").exit_code, 0);
  for (const Arguments& objective : {Arguments{"--objective", "clm"}, Arguments{"--whole-word"}}) {
    const std::string output = path("model_" + objective.back());
    const Outcome trained = run(Arguments{"pretrain", "--data", path("text.txt"), "--tokenizer", path("unigram"),
                                          "--output", output, "--steps", "2", "--layers", "1", "--hidden-size", "16",
                                          "--heads", "2", "--max-length", "32", "--batch-tokens", "64"} +
                                objective);
    EXPECT_EQ(trained.exit_code, 0) << trained.error;
    EXPECT_EQ(content(output + "/tokenizer.model"), content(path("unigram/tokenizer.model")));
  }
  const Outcome filled = run({"fill-mask", "--model", path("model_--whole-word"), "In the [MASK] God created"});
  EXPECT_EQ(filled.exit_code, 0) << filled.error;
}

}  // namespace
}  // namespace roformer::test
