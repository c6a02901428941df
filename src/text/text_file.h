// Lines of UTF-8 text files, read in blocks. A line may be very long (up to 1 GiB).
#pragma once

#include <cstdint>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace roformer {

struct FileCloser {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

class TextFile {
 public:
  // FileError when `path` cannot be opened or is a directory.
  explicit TextFile(std::string path);

  // `observer` is shown the raw bytes of the file in order, each once, before the lines they hold.
  void observe(std::function<void(std::string_view)> observer) { observer_ = std::move(observer); }

  // The next line without its "\n" or "\r\n", valid until the next call; false at the end. A byte order mark at the
  // start is skipped. DataError, naming file and line, when the line is not UTF-8, holds a NUL byte (then it is not
  // text) or is longer than 1 GiB.
  bool next_line(std::string_view& line);

  const std::string& path() const { return path_; }
  int64_t line_number() const { return line_number_; }  // of the line last returned, from 1

 private:
  bool read_block();

  std::string path_;
  std::unique_ptr<std::FILE, FileCloser> file_;
  std::function<void(std::string_view)> observer_;
  std::string buffer_;
  size_t position_ = 0;  // start of the next line in buffer_
  bool at_end_ = false;
  int64_t line_number_ = 0;
};

}  // namespace roformer
