#include "text/pipeline/load_merges.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "text/pipeline/byte_bpe_json.h"
#include "text/pipeline/load.h"
#include "text/vocabulary.h"

namespace roformer {

namespace {

constexpr const char* kVocabularyFile = "vocab.json";
constexpr const char* kMergesFile = "merges.txt";
constexpr const char* kEndOfText = "<|endoftext|>";

std::string plain_class(const std::string& tokenizer_class) {
  constexpr std::string_view kFast = "Fast";
  const bool fast = tokenizer_class.ends_with(kFast);
  return tokenizer_class.substr(0, tokenizer_class.size() - (fast ? kFast.size() : 0));
}

ByteLevelSettings settings_of(const std::string& name, const JsonObject& config) {
  ByteLevelSettings settings{.adds_prefix_space = config.get_bool("add_prefix_space", false), .trims_offsets = false};
  if (name == "GPTNeoXTokenizer" || name == "Qwen2Tokenizer") settings.composes = true;
  if (name == "Qwen2Tokenizer") {
    settings.pattern = BytePattern::qwen2;
    if (settings.adds_prefix_space) config.reject("add_prefix_space", "false for a Qwen2Tokenizer");
  } else if (name != "GPT2Tokenizer" && name != "GPTNeoXTokenizer" && name != "CodeGenTokenizer" &&
             name != "PreTrainedTokenizer" && !name.empty()) {
    throw DataError(
        "{}: '{}' is {}; of vocab.json and merges.txt the rules of GPT2Tokenizer, CodeGenTokenizer, "
        "GPTNeoXTokenizer and Qwen2Tokenizer are known, expected one of these or a tokenizer.json",
        FilePath(config.source()), KeyName("tokenizer_class"), quote(name));
  }
  return settings;
}

// The lines of merges.txt, without its version.
Json read_merge_lines(const std::string& path) {
  const std::string text = read_file(path, kMaxVocabularyBytes);
  Json merges = Json::array();
  int64_t number = 0;
  for (size_t begin = 0, end = 0; begin < text.size(); begin = end + 1) {
    end = std::min(text.find('\n', begin), text.size());
    std::string_view line = std::string_view(text).substr(begin, end - begin);
    ++number;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || line.starts_with("#version")) continue;
    const size_t space = line.find(' ');
    if (space == 0 || space + 1 >= line.size() || space == line.npos || line.find(' ', space + 1) != line.npos) {
      throw DataError("{}: line {} is {}, expected two pieces", FilePath(path), number, quote(line));
    }
    merges.emplace_back(line);
  }
  return merges;
}

// The class names its special tokens where tokenizer_config.json does not.
JsonObject with_usual_tokens(const JsonObject& config, const std::string& name, const Json& vocabulary) {
  Json keys = config.value();
  if (!vocabulary.contains(kEndOfText)) return config;
  const auto set = [&](const char* key) {
    if (!keys.contains(key)) keys[key] = kEndOfText;
  };
  set("unk_token");
  set("eos_token");
  set(name == "Qwen2Tokenizer" ? "pad_token" : "bos_token");
  return {std::move(keys), config.source()};
}

}  // namespace

bool has_merges(const std::string& directory) {
  return exists(join_path(directory, kVocabularyFile)) && exists(join_path(directory, kMergesFile));
}

std::unique_ptr<Tokenizer> load_merges(const std::string& directory, const std::string& tokenizer_class,
                                       const JsonObject& config) {
  const std::string path = join_path(directory, kVocabularyFile), name = plain_class(tokenizer_class);
  Json json = byte_level_json(settings_of(name, config));
  json["model"]["vocab"] = JsonObject::read(path, kMaxVocabularyBytes).value();
  json["model"]["merges"] = read_merge_lines(join_path(directory, kMergesFile));
  const JsonObject settings = with_usual_tokens(config, name, json["model"]["vocab"]);
  return load_tokenizer_json(json, settings, path, directory);
}

}  // namespace roformer
