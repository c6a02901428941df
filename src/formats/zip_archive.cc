#include "formats/zip_archive.h"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "formats/byte_reader.h"

namespace roformer {

namespace {

constexpr uint32_t kEndMark = 0x06054b50, kEnd64Mark = 0x06064b50, kLocator64Mark = 0x07064b50;
constexpr uint32_t kCentralMark = 0x02014b50, kLocalMark = 0x04034b50;
constexpr uint64_t kEndBytes = 22, kLocatorBytes = 20, kLocalBytes = 30, kMaxComment = 0xFFFF;
constexpr uint32_t kIn64 = 0xFFFFFFFF;  // marks a value that does not fit 32 bits and is in the zip64 field
constexpr uint16_t kEncrypted = 1;

struct Directory {
  uint64_t count = 0, begin = 0, size = 0;
};

class Parser {
 public:
  Parser(std::string_view bytes, const std::string& path) : bytes_(bytes), path_(path) {}

  std::map<std::string, std::string_view> parse() {
    const Directory directory = find_directory();
    if (directory.begin > bytes_.size() || directory.size > bytes_.size() - directory.begin) {
      fail("its directory is beyond its end");
    }
    ByteReader reader = at(directory.begin);
    std::map<std::string, std::string_view> entries;
    std::vector<std::pair<uint64_t, uint64_t>> ranges;
    for (uint64_t i = 0; i < directory.count; ++i) {
      if (reader.at() - directory.begin >= directory.size)
        fail(fmt::format("it has {} entries, expected {}", i, directory.count));
      auto [name, content, range] = parse_entry(reader);
      ranges.push_back(range);
      if (range.second > directory.begin) fail(fmt::format("entry {} overlaps the directory", quote(name)));
      if (!entries.emplace(name, content).second) fail(fmt::format("two entries are named {}", quote(name)));
    }
    std::sort(ranges.begin(), ranges.end());
    for (size_t i = 1; i < ranges.size(); ++i) {
      if (ranges[i].first < ranges[i - 1].second) fail(fmt::format("entries overlap at byte {}", ranges[i].first));
    }
    return entries;
  }

 private:
  struct Entry {
    std::string name;
    std::string_view content;
    std::pair<uint64_t, uint64_t> range;  // of bytes, with the local header
  };

  [[noreturn]] void fail(const std::string& reason) const {
    throw DataError("'{}' is not a readable zip archive: {}", FilePath(path_), reason);
  }
  ByteReader at(uint64_t offset) const { return {bytes_, FilePath(path_, "'" + path_ + "'"), offset}; }

  Directory find_directory() const {
    if (bytes_.size() < kEndBytes) fail("it is too short");
    // The record is at the end, before a comment whose length it holds.
    const uint64_t last = bytes_.size() - kEndBytes, first = last - std::min(last, kMaxComment);
    for (uint64_t offset = last + 1; offset-- > first;) {
      ByteReader reader = at(offset);
      if (reader.number<uint32_t>() != kEndMark) continue;
      const auto disk = reader.number<uint16_t>(), directory_disk = reader.number<uint16_t>();
      const auto here = reader.number<uint16_t>(), count = reader.number<uint16_t>();
      const auto size = reader.number<uint32_t>(), begin = reader.number<uint32_t>();
      if (reader.number<uint16_t>() != reader.remaining()) continue;
      const bool large = count == 0xFFFF || size == kIn64 || begin == kIn64;
      if (large) return find_directory64(offset);
      if (disk != 0 || directory_disk != 0 || here != count) fail("it is part of several");
      return {count, begin, size};
    }
    fail("it has no end record (truncated?)");
  }

  Directory find_directory64(uint64_t end) const {
    if (end < kLocatorBytes) fail("its zip64 locator is missing");
    ByteReader locator = at(end - kLocatorBytes);
    if (locator.number<uint32_t>() != kLocator64Mark) fail("its zip64 locator is missing");
    locator.read(4);
    ByteReader reader = at(locator.number<uint64_t>());
    if (reader.number<uint32_t>() != kEnd64Mark) fail("its zip64 end record is missing");
    reader.read(8 + 2 + 2);                                             // its own size, versions
    if (reader.number<uint64_t>() != 0) fail("it is part of several");  // two disk numbers
    reader.read(8);
    Directory directory;
    directory.count = reader.number<uint64_t>();
    directory.size = reader.number<uint64_t>();
    directory.begin = reader.number<uint64_t>();
    return directory;
  }

  Entry parse_entry(ByteReader& reader) const {
    if (reader.number<uint32_t>() != kCentralMark)
      fail(fmt::format("no entry at byte {} of its directory", reader.at() - 4));
    reader.read(4);  // versions
    const auto flags = reader.number<uint16_t>(), method = reader.number<uint16_t>();
    reader.read(8);  // time, checksum
    uint64_t packed = reader.number<uint32_t>(), size = reader.number<uint32_t>();
    const auto name_bytes = reader.number<uint16_t>(), extra_bytes = reader.number<uint16_t>(),
               comment_bytes = reader.number<uint16_t>();
    reader.read(2 + 2 + 4);  // disk, attributes
    uint64_t begin = reader.number<uint32_t>();
    const std::string name(reader.read(name_bytes));
    widen(reader.read(extra_bytes), name, size, packed, begin);
    reader.read(comment_bytes);
    if ((flags & kEncrypted) != 0) fail(fmt::format("entry {} is encrypted", quote(name)));
    if (method != 0 || packed != size) {
      fail(fmt::format("entry {} is compressed, expected stored as torch.save does", quote(name)));
    }
    ByteReader local = at(begin);
    if (local.number<uint32_t>() != kLocalMark)
      fail(fmt::format("entry {} is not where its directory says", quote(name)));
    local.read(kLocalBytes - 4 - 2 - 2);
    const auto local_name = local.number<uint16_t>(), local_extra = local.number<uint16_t>();
    if (local.read(local_name) != name) fail(fmt::format("entry {} has two names", quote(name)));
    local.read(local_extra);
    const std::string_view content = local.read(size);
    return {name, content, {begin, local.at()}};
  }

  // Reads the values that do not fit 32 bits from the zip64 field.
  void widen(std::string_view extra, const std::string& name, uint64_t& size, uint64_t& packed, uint64_t& begin) const {
    const std::string source = fmt::format("'{}': entry {}", path_, quote(name));
    ByteReader reader(extra, FilePath(path_, source));
    while (reader.remaining() >= 4) {
      const auto kind = reader.number<uint16_t>(), bytes = reader.number<uint16_t>();
      ByteReader field(reader.read(bytes), FilePath(path_, source));
      if (kind != 1) continue;
      for (uint64_t* number : {&size, &packed, &begin}) {
        if (*number == kIn64) *number = field.number<uint64_t>();
      }
    }
  }

  std::string_view bytes_;
  const std::string& path_;
};

}  // namespace

ZipArchive::ZipArchive(std::string_view bytes, const std::string& path) : entries_(Parser(bytes, path).parse()) {}

}  // namespace roformer
