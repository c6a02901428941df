// Common code of the fuzz targets. Each feeds arbitrary bytes to one entry point. Bad input must give an error of this
// project's types, whose message is checked too; any other exception, a crash, a sanitizer report, a failed require(),
// a hang or excessive memory is a finding.
#pragma once

#include <stdlib.h>

#include <cctype>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/utf8.h"

namespace roformer::fuzz {

// A documented property that must hold for every input.
inline void require(bool holds, const char* promise) {
  if (holds) return;
  std::fprintf(stderr, "broken promise: %s\n", promise);
  __builtin_trap();
}

// Messages go to terminals and logs: UTF-8, no control characters except line ends of lists, bounded length.
inline void check_message(std::string_view message) {
  require(!message.empty() && message.size() <= 16'384, "a message is neither empty nor endless");
  require(find_invalid_utf8(message) == kValidUtf8, "a message is UTF-8");
  for (const char c : message) require(c == '\n' || (c & 0xE0) != 0, "a message has no control characters");
}

// Runs `body`; true if it returned, false if it threw an error of this project's types.
template <class Body>
bool accepts(const Body& body) {
  try {
    body();
    return true;
  } catch (const Error& error) {
    check_message(error.what());
    return false;
  }
}

// A temporary directory of this process in $TMPDIR, removed at normal exit.
class Scratch {
 public:
  static const Scratch& get() {
    static const Scratch scratch;
    return scratch;
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  std::string path(const std::string& name = "") const { return name.empty() ? path_ : path_ + "/" + name; }
  // Writes a file, or removes it if `content` is empty.
  void put(const std::string& name, std::string_view content) const {
    std::filesystem::remove(path(name));
    if (content.empty()) return;
    std::ofstream file(path(name), std::ios::binary);
    file.write(content.data(), static_cast<std::streamsize>(content.size()));
    require(file.good(), "the scratch directory can be written");
  }

 private:
  Scratch() : path_((std::filesystem::temp_directory_path() / "roformer_fuzz_XXXXXX").string()) {
    require(::mkdtemp(path_.data()) != nullptr, "a scratch directory can be made");
  }

  std::string path_;
};

inline std::string_view as_text(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// Splits an input into files at lines of "%%"; missing ones are empty.
inline std::vector<std::string_view> split_files(std::string_view input, size_t count) {
  constexpr std::string_view kSeparator = "%%\n";
  std::vector<std::string_view> files;
  while (files.size() + 1 < count) {
    const size_t end = input.find(kSeparator);
    files.push_back(input.substr(0, end));
    input = end == input.npos ? std::string_view() : input.substr(end + kSeparator.size());
  }
  files.push_back(input);
  return files;
}

}  // namespace roformer::fuzz
