// The wire format of protocol buffers (its documentation: "Encoding"), as far as SentencePiece models and TensorBoard's
// event files need it. A message is a sequence of fields: a key (number << 3 | wire type), then a varint, 8 bytes, a
// length and that many bytes, or 4 bytes. Libprotobuf was rejected for models of somebody else: what it accepts is used
// unchecked.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace roformer {

struct ProtoField {
  enum class Wire { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };
  uint32_t number = 0;
  Wire wire = Wire::varint;
  uint64_t value = 0;      // of a varint or a fixed one
  std::string_view bytes;  // of the others, within the message
  int64_t place = 0;       // of the content, in bytes of the file

  bool boolean() const { return value != 0; }
  float number32() const;  // a fixed32 as a float
};

class ProtoReader {
 public:
  // `message` starts at byte `place` of the file `where`, which the errors name.
  ProtoReader(std::string_view message, std::string_view where, int64_t place = 0)
      : rest_(message), where_(where), place_(place) {}

  // False at the end. DataError, with the byte, where the message is cut off or is none.
  bool next(ProtoField& field);

 private:
  uint64_t varint();
  std::string_view take(uint64_t size);
  [[noreturn]] void fail(std::string_view what) const;

  std::string_view rest_, where_;
  int64_t place_;
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
