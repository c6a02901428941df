#include "base/protobuf.h"

#include <bit>

#include "base/error.h"

namespace roformer {

namespace {

// Little-endian on any machine.
uint64_t read_fixed(std::string_view bytes) {
  uint64_t value = 0;
  for (size_t i = bytes.size(); i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

}  // namespace

float ProtoField::number32() const { return std::bit_cast<float>(static_cast<uint32_t>(value)); }

void ProtoReader::fail(std::string_view what) const {
  throw DataError("{}: byte {}: {}", FilePath(where_), offset_, what);
}

uint64_t ProtoReader::varint() {
  uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    if (rest_.empty()) fail("the file ends within a number");
    const auto byte = static_cast<unsigned char>(rest_[0]);
    rest_.remove_prefix(1);
    ++offset_;
    value |= static_cast<uint64_t>(byte & 0x7F) << shift;
    if (byte < 0x80) return value;
  }
  fail("not a protocol buffer: a number of more than 10 bytes");
}

std::string_view ProtoReader::read(uint64_t size) {
  if (size > rest_.size()) {
    fail(fmt::format("expected {} bytes, found {}: the file is truncated or not a SentencePiece model", size,
                     rest_.size()));
  }
  const auto bytes = rest_.substr(0, size);
  rest_.remove_prefix(bytes.size());
  offset_ += static_cast<int64_t>(bytes.size());
  return bytes;
}

bool ProtoReader::next(ProtoField& field) {
  if (rest_.empty()) return false;
  const uint64_t key = varint();
  const auto wire = static_cast<int>(key & 7);
  if (key >> 3 == 0 || key >> 32 != 0) fail("not a protocol buffer: a field without a number");
  field = {.number = static_cast<uint32_t>(key >> 3), .wire = static_cast<ProtoField::Wire>(wire), .bytes = {}};
  field.offset = offset_;
  switch (field.wire) {
    case ProtoField::Wire::varint: field.value = varint(); break;
    case ProtoField::Wire::fixed64: field.value = read_fixed(read(8)); break;
    case ProtoField::Wire::fixed32: field.value = read_fixed(read(4)); break;
    case ProtoField::Wire::bytes: {
      const uint64_t size = varint();
      field.offset = offset_;
      field.bytes = read(size);
      break;
    }
    default: fail(fmt::format("not a protocol buffer: a field of kind {}", wire));
  }
  return true;
}

void ProtoWriter::append_varint(uint64_t value) {
  for (; value >= 0x80; value >>= 7) message_ += static_cast<char>(value | 0x80);
  message_ += static_cast<char>(value);
}

template <class Bits>
void ProtoWriter::append_fixed(Bits bits) {
  for (size_t i = 0; i < sizeof bits; ++i) message_ += static_cast<char>(bits >> 8 * i & 0xFF);
}

void ProtoWriter::key(uint32_t number, ProtoField::Wire wire) {
  append_varint(static_cast<uint64_t>(number) << 3 | static_cast<uint64_t>(wire));
}

void ProtoWriter::varint(uint32_t number, uint64_t value) {
  key(number, ProtoField::Wire::varint);
  append_varint(value);
}

void ProtoWriter::float32(uint32_t number, float value) {
  key(number, ProtoField::Wire::fixed32);
  append_fixed(std::bit_cast<uint32_t>(value));
}

void ProtoWriter::float64(uint32_t number, double value) {
  key(number, ProtoField::Wire::fixed64);
  append_fixed(std::bit_cast<uint64_t>(value));
}

void ProtoWriter::bytes(uint32_t number, std::string_view value) {
  key(number, ProtoField::Wire::bytes);
  append_varint(value.size());
  message_ += value;
}

}  // namespace roformer
