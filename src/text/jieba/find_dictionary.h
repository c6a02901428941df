// Locates the dictionary of a jieba tokenizer.
#pragma once

#include <string>
#include <string_view>

namespace roformer {

// The file name of a dictionary in a tokenizer directory.
inline constexpr std::string_view kJiebaDictionaryFile = "jieba_dict.txt";

struct DictionaryFile {
  std::string path;
  bool own = false;  // saved with the tokenizer; false for the stock dictionary of Debian's python3-jieba
};

// `asked` if not empty, else $ROFORMER_JIEBA_DICTIONARY, else jieba_dict.txt in `directory` (unless that is empty),
// else Debian's. FileError with instructions if there is none; `asked` need not exist.
DictionaryFile find_dictionary(const std::string& asked, const std::string& directory);

}  // namespace roformer
