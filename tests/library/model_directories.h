// Small tokenizer and model directories, made through the library itself.
#pragma once

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "roformer/masked_language_trainer.h"
#include "tests/base/temp_directory.h"

namespace roformer {

inline void write_text(const std::string& path, const std::string& content) { std::ofstream(path) << content; }

inline const std::vector<std::string>& proverbs() {
  static const std::vector<std::string> texts{"a wise son makes a glad father", "a soft answer turns away wrath",
                                              "pride goes before a fall", "iron sharpens iron",
                                              "a merry heart does good like a medicine"};
  return texts;
}

// Lower-case words of the proverbs.
inline std::string make_tokenizer(const TempDirectory& directory) {
  const std::string path = directory / "tokenizer";
  std::filesystem::create_directories(path);
  std::string vocabulary = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";
  for (const char* word :
       {"a",    "wise",   "son",  "makes", "glad",     "father", "soft",  "answer", "turns", "away", "wrath",   "pride",
        "goes", "before", "fall", "iron",  "sharpens", "merry",  "heart", "does",   "good",  "like", "medicine"}) {
    vocabulary += std::string(word) + "\n";
  }
  write_text(path + "/vocab.txt", vocabulary);
  return path;
}

// A model of tests/fixtures/families, small with random weights, with a tokenizer of its 23 tokens.
inline std::string make_family(const TempDirectory& directory, const std::string& name) {
  const std::string path = directory / name;
  std::filesystem::copy(std::string(ROFORMER_SOURCE_DIR) + "/tests/fixtures/families/" + name, path);
  write_text(path + "/vocab.txt",
             "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nwise\nson\nmakes\nglad\nfather\nsoft\nanswer\nturns\naway\n"
             "wrath\npride\ngoes\nbefore\nfall\niron\nsharpens\nmerry\n");
  return path;
}

// The content of every file of a directory, by its name in it.
inline std::map<std::string, std::string> contents_of(const std::string& directory) {
  std::map<std::string, std::string> contents;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    if (!entry.is_regular_file()) continue;
    std::ostringstream content;
    content << std::ifstream(entry.path(), std::ios::binary).rdbuf();
    contents[std::filesystem::relative(entry.path(), directory).string()] = content.str();
  }
  return contents;
}

inline ModelShape small_shape() { return {.hidden_size = 32, .layers = 2, .heads = 2}; }

inline MaskedLanguageOptions small_training() { return {.max_length = 16, .threads = 1}; }

inline std::string make_model(const TempDirectory& directory, int64_t steps = 0) {
  auto trainer = MaskedLanguageTrainer::create(make_tokenizer(directory), small_shape(), small_training());
  for (int64_t i = 0; i < steps; ++i) trainer.step(proverbs());
  trainer.save(directory / "model");
  return directory / "model";
}

}  // namespace roformer
