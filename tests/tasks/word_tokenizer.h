// A small WordPiece tokenizer of a few words, for tests.
#pragma once

#include <memory>
#include <string>

#include "base/file.h"
#include "tests/base/temp_directory.h"
#include "text/tokenizer.h"

namespace roformer {

// Ids: [PAD] 0, [UNK] 1, [CLS] 2, [SEP] 3, [MASK] 4, the 5, fox 6, see 7, run 8, ##s 9, ##ing 10, who 11, a 12, b 13,
// c 14, "." 15.
inline std::unique_ptr<Tokenizer> word_tokenizer(const TempDirectory& directory) {
  std::string vocabulary = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";
  for (const char* token : {"the", "fox", "see", "run", "##s", "##ing", "who", "a", "b", "c", "."}) {
    vocabulary += std::string(token) + "\n";
  }
  write_file_atomically(directory / "vocab.txt", vocabulary);
  write_file_atomically(directory / "tokenizer_config.json", R"({"tokenizer_class": "BertTokenizer"})");
  return load_tokenizer(directory.path());
}

}  // namespace roformer
