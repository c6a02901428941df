// Zip archives of stored entries as torch.save makes them, and with lies in them.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace roformer {

inline void append_number(std::string& text, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> (8 * i));
}

using ZipEntries = std::vector<std::pair<std::string, std::string>>;

struct ZipTricks {
  int method = 0;
  int flags = 0;
  bool same_place = false;  // all entries are said to be where the first is
};

inline std::string zip_of(const ZipEntries& entries, const ZipTricks& tricks = {}) {
  std::string file, directory;
  for (const auto& [name, content] : entries) {
    const uint64_t begin = tricks.same_place ? 0 : file.size();
    std::string common;
    append_number(common, static_cast<uint64_t>(tricks.flags), 2);
    append_number(common, static_cast<uint64_t>(tricks.method), 2);
    append_number(common, 0, 8);
    append_number(common, content.size(), 4);
    append_number(common, content.size(), 4);
    append_number(common, name.size(), 2);
    append_number(common, 0, 2);
    file += std::string("PK\3\4\0\0", 6) + common + name + content;
    directory += std::string("PK\1\2\0\0\0\0", 8) + common + std::string(10, '\0');
    append_number(directory, begin, 4);
    directory += name;
  }
  const size_t begin = file.size();
  file += directory + std::string("PK\5\6\0\0\0\0", 8);
  append_number(file, entries.size(), 2);
  append_number(file, entries.size(), 2);
  append_number(file, directory.size(), 4);
  append_number(file, begin, 4);
  append_number(file, 0, 2);
  return file;
}

}  // namespace roformer
