#include "text/jieba/find_dictionary.h"

#include <cstdlib>
#include <filesystem>

#include "base/error.h"
#include "base/file.h"

namespace roformer {

namespace {

constexpr const char* kSystemDictionary = "/usr/lib/python3/dist-packages/jieba/dict.txt";

DictionaryFile describe(const std::string& path) {
  std::error_code ignored;
  return {path, !std::filesystem::equivalent(path, kSystemDictionary, ignored)};
}

}  // namespace

DictionaryFile find_dictionary(const std::string& asked, const std::string& directory) {
  const char* variable = std::getenv("ROFORMER_JIEBA_DICTIONARY");
  if (!asked.empty()) return describe(asked);
  if (variable != nullptr && variable[0] != '\0') return describe(variable);
  const std::string own = directory.empty() ? "" : join_path(directory, kJiebaDictionaryFile);
  if (!own.empty() && exists(own)) return describe(own);
  if (exists(kSystemDictionary)) return describe(kSystemDictionary);
  throw FileError(
      "{}a jieba tokenizer needs jieba's dictionary, and none was found: install Debian's python3-jieba, or name a "
      "dict.txt with {} or ROFORMER_JIEBA_DICTIONARY{}",
      directory.empty() ? "" : directory + ": ", FieldName("jieba_dictionary"),
      own.empty() ? "" : fmt::format(", or put one into the directory as {}", kJiebaDictionaryFile));
}

}  // namespace roformer
