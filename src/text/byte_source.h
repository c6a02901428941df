// The bytes of a file or pipe in order, decompressed if it is compressed (unpacker.h). The format is told by content,
// not by name; concatenated members are read as one text, and zero bytes behind members (padding of tapes and disks)
// are skipped.
#pragma once

#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

#include "text/unpacker.h"

namespace roformer {

class ByteSource {
 public:
  // FileError when `path` cannot be opened or is a directory.
  explicit ByteSource(std::string path);
  // The rest of a descriptor, which stays open, of which `start` was read already. `name` starts messages.
  ByteSource(std::string name, int descriptor, std::string start);
  ByteSource(const ByteSource&) = delete;
  ByteSource& operator=(const ByteSource&) = delete;

  // Appends the next bytes, about 1 MiB, to `buffer`; false, with nothing appended, at the end. DataError if compressed
  // data is corrupt, truncated, or followed by something else, and if the file or what it unpacks to is no text but an
  // archive or another known binary file (binary_file.h).
  bool read(std::string& buffer);

  // Whether the source is an uncompressed regular file, whose bytes can be read again at any offset.
  bool plain_file() const;
  const std::string& path() const { return path_; }

 private:
  struct FileCloser {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };

  bool read_raw(std::string& buffer);
  void start();
  bool find_member(size_t& consumed);
  void unpack(std::string& buffer);

  std::string path_;
  std::unique_ptr<std::FILE, FileCloser> file_;
  const PackedFormat* format_ = nullptr;
  std::unique_ptr<Unpacker> unpacker_;  // null if the file is not compressed
  std::string raw_;                     // read ahead, not yet returned or decompressed
  bool started_ = false, raw_at_end_ = false;
  bool between_members_ = true, checked_unpacked_ = false;
};

}  // namespace roformer
