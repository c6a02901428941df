// Small files and vocabularies for the tests of tokenizers and corpora.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <string_view>

#include "base/error.h"
#include "tests/base/temp_directory.h"
#include "text/tokenizer.h"

namespace roformer {

inline void write_text(const std::string& path, std::string_view content) {
  std::ofstream file(path, std::ios::binary);
  file << content;
  ASSERT_TRUE(file.good()) << path;
}

// Ids: 5 hello, 6 world, 7 un, 8 ##aff, 9 ##able, 10 ",", 11 "!", 12 a, 13 ##b, 14 cafe, 15 中, 16 i, 17 ##i
inline constexpr std::string_view kTinyVocabulary =
    "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nhello\nworld\nun\n##aff\n##able\n,\n!\na\n##b\ncafe\n中\ni\n##i\n";

inline std::unique_ptr<Tokenizer> make_tokenizer(const TempDirectory& directory, std::string_view vocabulary,
                                                 std::string_view config = "") {
  write_text(directory / "vocab.txt", vocabulary);
  if (!config.empty()) write_text(directory / "tokenizer_config.json", config);
  return load_tokenizer(directory.path());
}

// The message of the error of type E that `action` throws, or "" when it throws none.
template <class E, class Action>
std::string message_of(const Action& action) {
  try {
    action();
  } catch (const E& error) {
    return error.what();
  }
  return "";
}

}  // namespace roformer
