// Little-endian numbers and pieces of text from mapped bytes, none of them beyond the end.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "base/error.h"

namespace roformer {

class ByteReader {
 public:
  // `source` starts the messages. DataError where `at` or anything that is read is beyond the end.
  ByteReader(std::string_view bytes, const FilePath& source, uint64_t at = 0)
      : bytes_(bytes), path_(source.name), source_(source.shown), at_(at) {
    if (at > bytes.size())
      throw DataError("{}: byte {} is beyond its {} bytes", FilePath(path_, source_), at, bytes.size());
  }

  uint64_t at() const { return at_; }
  uint64_t left() const { return bytes_.size() - at_; }

  std::string_view take(uint64_t size) {
    if (size > left())
      throw DataError("{} is cut short: {} bytes expected at {}, {} are left", FilePath(path_, source_), size, at_,
                      left());
    const std::string_view taken = bytes_.substr(at_, size);
    at_ += size;
    return taken;
  }

  template <class Number>
  Number number() {
    Number value;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }

 private:
  std::string_view bytes_;
  std::string path_, source_;
  uint64_t at_;
};

}  // namespace roformer
