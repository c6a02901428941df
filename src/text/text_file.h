// Lines of UTF-8 text files, plain or compressed (byte_source.h), read in blocks; and expansion of directories.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/byte_source.h"

namespace roformer {

class TextFile {
 public:
  // next_part() splits longer lines, in bytes.
  static constexpr size_t kLongLine = size_t{1} << 20;

  // FileError when `path` cannot be opened or is a directory.
  explicit TextFile(std::string path) : source_(std::move(path)) {}
  TextFile(std::string name, int descriptor, std::string start)  // as ByteSource
      : source_(std::move(name), descriptor, std::move(start)) {}

  // `observer` is called with the decompressed bytes in order, before the lines they hold.
  void observe(std::function<void(std::string_view)> observer) { observer_ = std::move(observer); }

  // The next line without its "\n" or "\r\n", valid until the next call; false at the end. A byte order mark at the
  // start is skipped. DataError naming file and line if the line is not UTF-8, holds a NUL byte or is longer than 1
  // GiB; the next call then goes on with the next line.
  bool next_line(std::string_view& line);

  // A line, or the next part of one longer than kLongLine, split between code points, so that memory is bounded.
  // Otherwise as next_line; do not mix the two within a line.
  struct Part {
    std::string_view text;
    bool starts_line = true, ends_line = true;
  };
  bool next_part(Part& part);

  const std::string& path() const { return source_.path(); }
  int64_t offset() const { return buffer_offset_ + static_cast<int64_t>(position_); }  // decompressed bytes consumed
  bool plain_file() const { return source_.plain_file(); }                             // valid after the first read

 private:
  bool read_block();
  void skip_line();
  bool next(Part& part, size_t longest);

  ByteSource source_;
  std::function<void(std::string_view)> observer_;
  std::string buffer_;
  size_t position_ = 0;        // start of the next line in buffer_
  int64_t buffer_offset_ = 0;  // of buffer_[0] in the decompressed bytes
  bool inside_line_ = false;
  int64_t line_number_ = 0;
};

// Replaces each directory by all regular files under it, sorted by path, skipping hidden files and folders. FileError
// for a directory that holds none or cannot be read.
std::vector<std::string> expand_directories(std::span<const std::string> paths);

}  // namespace roformer
