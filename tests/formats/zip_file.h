// Zip archives of stored entries as written by torch.save, valid or malformed.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace roformer {

inline void append_number(std::string& text, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) text += i < 8 ? static_cast<char>(value >> (8 * i)) : '\0';
}

using ZipEntries = std::vector<std::pair<std::string, std::string>>;

struct ZipTricks {
  int method = 0;
  int flags = 0;
  bool zip64 = false;       // valid: use zip64 fields although 32 bits suffice
  bool same_place = false;  // all entries have the offset of the first
};

inline std::string zip_of(const ZipEntries& entries, const ZipTricks& tricks = {}) {
  constexpr uint64_t kIn64 = 0xFFFFFFFF;
  std::string file, directory;
  for (const auto& [name, content] : entries) {
    const uint64_t begin = tricks.same_place ? 0 : file.size();
    std::string flags, sizes;
    append_number(flags, static_cast<uint64_t>(tricks.flags), 2);
    append_number(flags, static_cast<uint64_t>(tricks.method), 2);
    append_number(flags, 0, 8);
    for (int i = 0; i < 2; ++i) append_number(sizes, tricks.zip64 ? kIn64 : content.size(), 4);
    append_number(sizes, name.size(), 2);
    std::string extra;
    if (tricks.zip64) {
      append_number(extra, 1, 2);
      append_number(extra, 24, 2);
      for (const uint64_t number : {uint64_t{content.size()}, uint64_t{content.size()}, begin})
        append_number(extra, number, 8);
    }
    append_number(sizes, extra.size(), 2);
    file += std::string("PK\3\4\0\0", 6) + flags + sizes + name + extra + content;
    directory += std::string("PK\1\2\0\0\0\0", 8) + flags + sizes + std::string(10, '\0');
    append_number(directory, tricks.zip64 ? kIn64 : begin, 4);
    directory += name + extra;
  }
  const size_t begin = file.size();
  file += directory;
  if (tricks.zip64) {
    const size_t end = file.size();
    file += std::string("PK\6\6", 4);
    append_number(file, 44, 8);
    append_number(file, 0, 12);  // versions, disk numbers
    for (const uint64_t number :
         {uint64_t{entries.size()}, uint64_t{entries.size()}, uint64_t{directory.size()}, uint64_t{begin}}) {
      append_number(file, number, 8);
    }
    file += std::string("PK\6\7\0\0\0\0", 8);
    append_number(file, end, 8);
    append_number(file, 1, 4);
  }
  file += std::string("PK\5\6\0\0\0\0", 8);
  for (int i = 0; i < 2; ++i) append_number(file, tricks.zip64 ? 0xFFFF : entries.size(), 2);
  append_number(file, tricks.zip64 ? kIn64 : directory.size(), 4);
  append_number(file, tricks.zip64 ? kIn64 : begin, 4);
  append_number(file, 0, 2);
  return file;
}

}  // namespace roformer
