// Bounds-checked reads of little-endian numbers and text from bytes in memory.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "base/error.h"

namespace roformer {

class ByteReader {
 public:
  // `source` starts error messages. DataError if `at` or a read is beyond the end.
  ByteReader(std::string_view bytes, const FilePath& source, uint64_t at = 0)
      : bytes_(bytes), path_(source.name), source_(source.shown), at_(at) {
    if (at > bytes.size())
      throw DataError("{}: offset {} is beyond its {} bytes", FilePath(path_, source_), at, bytes.size());
  }

  uint64_t at() const { return at_; }
  uint64_t remaining() const { return bytes_.size() - at_; }

  std::string_view read(uint64_t size) {
    if (size > remaining())
      throw DataError("{} is truncated: expected {} bytes at offset {}, found {}", FilePath(path_, source_), size, at_,
                      remaining());
    const std::string_view piece = bytes_.substr(at_, size);
    at_ += size;
    return piece;
  }

  template <class Number>
  Number number() {
    Number value;
    std::memcpy(&value, read(sizeof value).data(), sizeof value);
    return value;
  }

 private:
  std::string_view bytes_;
  std::string path_, source_;
  uint64_t at_;
};

}  // namespace roformer
