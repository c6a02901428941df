// The wire format of protocol buffers (protobuf.dev, "Encoding"), as far as SentencePiece models and TensorBoard's
// event files need it. A message is a sequence of fields: a key (number << 3 | wire type), then a varint, 8 bytes, a
// length and that many bytes, or 4 bytes. Libprotobuf was rejected for untrusted models because it does not validate
// what it parses.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace roformer {

struct ProtoField {
  enum class Wire { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };
  uint32_t number = 0;
  Wire wire = Wire::varint;
  uint64_t value = 0;      // of varint, fixed64 and fixed32
  std::string_view bytes;  // of bytes: a view into the message
  int64_t offset = 0;      // of the content in the file, in bytes

  bool boolean() const { return value != 0; }
  float number32() const;  // a fixed32 as a float
};

class ProtoReader {
 public:
  // `message` starts at byte `offset` of the file `where`, which starts error messages.
  ProtoReader(std::string_view message, std::string_view where, int64_t offset = 0)
      : rest_(message), where_(where), offset_(offset) {}

  // False at the end. DataError with the byte offset if the message is truncated or malformed.
  bool next(ProtoField& field);

 private:
  uint64_t varint();
  std::string_view read(uint64_t size);
  [[noreturn]] void fail(std::string_view what) const;

  std::string_view rest_, where_;
  int64_t offset_;
};

// Appends fields to a message.
class ProtoWriter {
 public:
  void varint(uint32_t number, uint64_t value);
  void float32(uint32_t number, float value);
  void float64(uint32_t number, double value);
  void bytes(uint32_t number, std::string_view value);
  const std::string& message() const { return message_; }

 private:
  void key(uint32_t number, ProtoField::Wire wire);
  void append_varint(uint64_t value);
  template <class Bits>
  void append_fixed(Bits bits);  // little-endian

  std::string message_;
};

}  // namespace roformer
