// Which of the dictionaries on a machine a jieba tokenizer means.
#pragma once

#include <string>
#include <string_view>

namespace roformer {

// The name of a directory's own dictionary.
inline constexpr std::string_view kJiebaDictionaryFile = "jieba_dict.txt";

struct DictionaryFile {
  std::string path;
  bool own = false;  // it goes with the tokenizer; else it is the one of Debian's python3-jieba, which everybody has
};

// `asked` if not empty, else $ROFORMER_JIEBA_DICTIONARY, else jieba_dict.txt in `directory` (unless that is empty),
// else Debian's. FileError saying how to get one where there is none; a file that was asked for need not exist.
DictionaryFile find_dictionary(const std::string& asked, const std::string& directory);

}  // namespace roformer
