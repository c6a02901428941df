// Texts, and models that libsentencepiece learns from one of them, for tests of SentencePiece tokenizers.
#pragma once

#include <sentencepiece_trainer.h>

#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/file.h"
#include "tests/text/tokenizer_files.h"

namespace roformer {

// Enough for some hundred pieces, with characters of one to four bytes.
inline std::string small_text() {
  std::string text;
  for (int i = 0; i < 40; ++i) {
    text += "In the beginning God created the heaven and the earth.\nAnd the earth was without form, and void;\n";
    text += "the caf\u00e9 said: " + std::to_string(i * 37) + " kings, naïve words — and 王 \U0001F600 too\n";
    text += "darkness was upon the face of the deep " + std::string(static_cast<size_t>(i % 4), ' ') + "waters\n";
  }
  return text;
}

inline const std::vector<std::string>& texts() {
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
inline std::string random_text(std::mt19937& random) {
  static constexpr const char* kParts[] = {"the",        " ",          "heaven", "ea",     "rth",         "王",
                                           "\U0001F600", "\n",         "caf",    "\u00e9", "  ",          "zq",
                                           "<sym>",      "beginning ", "1234",   "\u0301", "\t",          "A",
                                           "void",       "\ufb01",     "ss",     ". ",     "was without", ","};
  std::string text;
  for (unsigned n = random() % 30; n-- > 0;) text += kParts[random() % std::size(kParts)];
  return text;
}

inline std::string learn(const std::unordered_map<std::string, std::string>& more, const TempDirectory& directory) {
  std::unordered_map<std::string, std::string> arguments = {
      {"minloglevel", "3"}, {"input", directory / "text.txt"}, {"hard_vocab_limit", "false"}, {"num_threads", "2"}};
  for (const auto& [key, value] : more) arguments[key] = value;
  write_text(directory / "text.txt", small_text());
  arguments["model_prefix"] = directory / "m";
  const auto status = sentencepiece::SentencePieceTrainer::Train(arguments);
  EXPECT_TRUE(status.ok()) << status.ToString();
  return read_file(directory / "m.model", 1 << 28);
}

inline std::unique_ptr<Tokenizer> load(const TempDirectory& directory, const std::string& model,
                                       std::string_view config = "{}") {
  write_text(directory / "tokenizer.model", model);
  write_text(directory / "tokenizer_config.json", config);
  return load_tokenizer(directory.path());
}

}  // namespace roformer
