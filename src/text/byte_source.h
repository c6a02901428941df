// The bytes of a file in order, unpacked where the file is gzip (RFC 1952) or Zstandard (RFC 8878). What it is decides
// its first bytes, not its name; several packed members after each other are one text. Also for pipes.
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

  // Appends the next bytes, about 1 MiB, to `buffer`; false, with nothing appended, at the end. DataError where packed
  // data is damaged, ends too early, or is followed by something else.
  bool read(std::string& buffer);

  // Whether the bytes are those of a regular file as it lies on the disk, so that they can be read again at any place.
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
  std::string raw_;  // read ahead, not yet given out or unpacked
  bool started_ = false, raw_at_end_ = false, between_members_ = false;
};

}  // namespace roformer
