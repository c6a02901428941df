// The bytes of a file or pipe in order, decompressed if it is gzip (RFC 1952) or Zstandard (RFC 8878). The format is
// detected by magic bytes, not by name; concatenated members are read as one text.
#pragma once

#include <cstdio>
#include <memory>
#include <string>

namespace roformer {

class ByteSource {
 public:
  // FileError when `path` cannot be opened or is a directory.
  explicit ByteSource(std::string path);
  ~ByteSource();
  ByteSource(const ByteSource&) = delete;
  ByteSource& operator=(const ByteSource&) = delete;

  // Appends the next bytes, about 1 MiB, to `buffer`; false, with nothing appended, at the end. DataError if compressed
  // data is corrupt, truncated, or followed by something else.
  bool read(std::string& buffer);

  // Whether the source is an uncompressed regular file, whose bytes can be read again at any offset.
  bool plain_file() const;
  const std::string& path() const { return path_; }

 private:
  struct FileCloser {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  class Unpacker;
  class Gzip;
  class Zstandard;

  bool read_raw(std::string& buffer);
  void start();

  std::string path_;
  std::unique_ptr<std::FILE, FileCloser> file_;
  std::unique_ptr<Unpacker> unpacker_;
  std::string raw_;  // read ahead, not yet returned or decompressed
  bool started_ = false, raw_at_end_ = false, between_members_ = false;
};

}  // namespace roformer
