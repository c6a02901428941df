// What the fuzz targets share. A target hands any bytes to one door of the program; an error of the project's own kinds
// is the right answer to a bad input, and its message is checked too. Anything else is a finding: another exception, a
// crash, a sanitizer's report, a broken promise (require), a hang, too much memory.
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

// A promise of a header that must hold for every input.
inline void require(bool holds, const char* promise) {
  if (holds) return;
  std::fprintf(stderr, "broken promise: %s\n", promise);
  __builtin_trap();
}

// Messages go to terminals and logs: UTF-8, no control characters but the line ends of a list, and not endless.
inline void check_message(std::string_view message) {
  require(!message.empty() && message.size() <= 16'384, "a message is neither empty nor endless");
  require(find_invalid_utf8(message) == kValidUtf8, "a message is UTF-8");
  for (const char c : message) require(c == '\n' || (c & 0xE0) != 0, "a message has no control characters");
}

// Runs `body`; true if it returned, false if it refused with an error of ours.
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

// A directory of this process: in $TMPDIR, removed at a normal end.
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
  // Writes a file; an empty content means that there is none.
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

// Several files in one input, between lines of "%%"; those that the input lacks are empty.
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
