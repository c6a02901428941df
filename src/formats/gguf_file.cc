#include "formats/gguf_file.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.h"
#include "base/utf8.h"
#include "formats/byte_reader.h"

namespace roformer {

namespace {

constexpr std::string_view kGgufMagic = "GGUF";

// The types of metadata values.
enum class GgufValue : uint32_t { u8, i8, u16, i16, u32, i32, f32, boolean, text, array, u64, i64, f64 };
constexpr std::array<uint64_t, 13> kValueBytes = {1, 1, 2, 2, 4, 4, 4, 1, 8, 12, 8, 8, 8};  // at least

// The double that the shortest decimal of a float32 stands for: what somebody wrote, not what was stored.
double as_written(float number) {
  if (!std::isfinite(number)) return number;
  std::array<char, 64> text{};
  const auto end = std::to_chars(text.begin(), text.end(), number).ptr;
  double value = 0;
  std::from_chars(text.begin(), end, value);
  return value;
}

class GgufHeaderReader {
 public:
  GgufHeaderReader(std::string_view bytes, const std::string& path) : path_(path), reader_(bytes, FilePath(path)) {}

  int64_t at() const { return static_cast<int64_t>(reader_.at()); }

  // The version, and the numbers of tensors and keys.
  uint32_t read_start() {
    if (reader_.remaining() < kGgufMagic.size() || reader_.read(kGgufMagic.size()) != kGgufMagic) {
      throw DataError("'{}' is not a GGUF file: it does not begin with {}", FilePath(path_), kGgufMagic);
    }
    const auto version = reader_.number<uint32_t>();
    if (version != 2 && version != 3) {
      const bool swapped = (version & 0xFFFF) == 0 && version != 0;
      throw DataError("'{}' is GGUF of version {}, expected 2 or 3{}", FilePath(path_), version,
                      swapped ? ", little-endian" : "");
    }
    tensors_ = counted("tensors", 24);
    keys_ = counted("keys", 13);
    return version;
  }

  Json read_metadata() {
    Json metadata = Json::object();
    for (uint64_t i = 0; i < keys_; ++i) {
      const std::string key(text("a key"));
      key_ = &key;
      if (metadata.contains(key))
        throw DataError("'{}': the key {} occurs twice", FilePath(path_), KeyName(key, quote(key)));
      metadata[key] = value(type_of_value());
      key_ = nullptr;
    }
    return metadata;
  }

  std::vector<GgufTensor> read_tensors() {
    std::vector<GgufTensor> tensors;
    std::set<std::string> names;
    for (uint64_t i = 0; i < tensors_; ++i) {
      tensors.push_back(tensor());
      const std::string& name = tensors.back().name;
      if (!names.insert(name).second) fail(name, "occurs twice");
    }
    return tensors;
  }

 private:
  [[noreturn]] void fail(const std::string& tensor, const std::string& what) const {
    throw DataError("'{}': tensor {} {}", FilePath(path_), TensorName(tensor, quote(tensor)), what);
  }

  // A number of things of which each needs `bytes` at least.
  uint64_t counted(const char* what, uint64_t bytes) {
    const auto count = reader_.number<uint64_t>();
    if (count > reader_.remaining() / bytes) {
      throw DataError("'{}' is truncated or not a GGUF file: {} {} in a file of {} bytes", FilePath(path_), count, what,
                      reader_.at() + reader_.remaining());
    }
    return count;
  }

  std::string_view text(const char* what) {
    const auto length = reader_.number<uint64_t>();
    const std::string_view bytes = reader_.read(length);
    if (find_invalid_utf8(bytes) != kValidUtf8) {
      throw DataError("'{}': {} before byte {} is not UTF-8{}", FilePath(path_), what, reader_.at(),
                      key_ == nullptr ? "" : " (" + quote(*key_) + ")");
    }
    return bytes;
  }

  GgufValue type_of_value() {
    const auto type = reader_.number<uint32_t>();
    if (type >= kValueBytes.size()) {
      throw DataError("'{}': the value of {} is of type {}, expected 0 to {}", FilePath(path_),
                      KeyName(*key_, quote(*key_)), type, kValueBytes.size() - 1);
    }
    return static_cast<GgufValue>(type);
  }

  Json value(GgufValue type) {
    switch (type) {
      case GgufValue::u8: return reader_.number<uint8_t>();
      case GgufValue::i8: return reader_.number<int8_t>();
      case GgufValue::u16: return reader_.number<uint16_t>();
      case GgufValue::i16: return reader_.number<int16_t>();
      case GgufValue::u32: return reader_.number<uint32_t>();
      case GgufValue::i32: return reader_.number<int32_t>();
      case GgufValue::f32: return as_written(reader_.number<float>());
      case GgufValue::boolean: return reader_.number<uint8_t>() != 0;
      case GgufValue::text: return std::string(text("a text"));
      case GgufValue::array: return array();
      case GgufValue::u64: return reader_.number<uint64_t>();
      case GgufValue::i64: return reader_.number<int64_t>();
      case GgufValue::f64: return reader_.number<double>();
    }
    return nullptr;
  }

  Json array() {
    const GgufValue type = type_of_value();
    const auto refuse = [&](const std::string& what) {
      throw DataError("'{}': {} is an array {}", FilePath(path_), KeyName(*key_, quote(*key_)), what);
    };
    if (type == GgufValue::array) refuse("of arrays, expected numbers or texts");
    const auto count = reader_.number<uint64_t>();
    const uint64_t possible = reader_.remaining() / kValueBytes[static_cast<size_t>(type)];
    if (count > possible)
      refuse(fmt::format("of {} values, of which the rest of the file holds {} at most", count, possible));
    elements_ += static_cast<int64_t>(std::min<uint64_t>(count, kMaxGgufElements + 1));
    if (elements_ > kMaxGgufElements) {
      refuse(fmt::format("of {} values, expected at most {} in all arrays", count, kMaxGgufElements));
    }
    Json values = Json::array();
    values.get_ref<Json::array_t&>().reserve(count);
    for (uint64_t i = 0; i < count; ++i) values.push_back(value(type));
    return values;
  }

  GgufTensor tensor() {
    GgufTensor tensor;
    tensor.name = text("the name of a tensor");
    const auto rank = reader_.number<uint32_t>();
    if (rank > kMaxGgufDimensions) {
      fail(tensor.name, fmt::format("has {} dimensions, expected at most {}", rank, kMaxGgufDimensions));
    }
    for (uint32_t i = 0; i < rank; ++i) {
      const auto dim = reader_.number<uint64_t>();
      if (dim == 0 || dim > uint64_t{INT64_MAX}) fail(tensor.name, fmt::format("has a dimension of {}", dim));
      tensor.shape.insert(tensor.shape.begin(), static_cast<int64_t>(dim));
    }
    const auto code = reader_.number<uint32_t>();
    tensor.type = find_block_type(code);
    if (tensor.type == nullptr) {
      fail(tensor.name, fmt::format("is of the unknown type {}, expected {}", code, readable_block_types()));
    }
    const auto offset = reader_.number<uint64_t>();
    if (offset > uint64_t{INT64_MAX}) fail(tensor.name, "begins beyond the file");
    tensor.offset = static_cast<int64_t>(offset);
    measure(tensor);
    return tensor;
  }

  void measure(GgufTensor& tensor) const {
    const BlockType& type = *tensor.type;
    const int64_t columns = tensor.shape.empty() ? 1 : tensor.shape.back();
    if (columns % type.numbers != 0) {
      fail(tensor.name,
           fmt::format("is {} with rows of {}, expected whole blocks of {}", type.name, columns, type.numbers));
    }
    int64_t bytes = columns / type.numbers;
    bool overflow = __builtin_mul_overflow(bytes, type.bytes, &bytes);
    int64_t elements = columns;
    for (size_t i = 0; i + 1 < tensor.shape.size(); ++i) {
      overflow |= __builtin_mul_overflow(bytes, tensor.shape[i], &bytes);
      overflow |= __builtin_mul_overflow(elements, tensor.shape[i], &elements);
    }
    if (overflow || elements > INT64_MAX / 8) fail(tensor.name, "has a shape that is too large");
    tensor.bytes = bytes;
  }

  const std::string& path_;
  ByteReader reader_;
  uint64_t tensors_ = 0, keys_ = 0;
  const std::string* key_ = nullptr;  // whose value is being read
  int64_t elements_ = 0;
};

}  // namespace

bool is_gguf(const std::string& path) {
  if (!is_file(path)) return false;
  try {
    return MappedFile(path).view().starts_with(kGgufMagic);
  } catch (const Error&) {
    return false;
  }
}

GgufFile::GgufFile(const std::string& path) : path_(path), file_(std::make_shared<const MappedFile>(path)) {
  GgufHeaderReader reader(file_->view(), path);
  version_ = reader.read_start();
  metadata_ = std::make_unique<JsonObject>(reader.read_metadata(), path);
  tensors_ = reader.read_tensors();
  place_tensors(reader.at());
}

// From offsets behind the header, which ends at `begin`, to offsets in the file.
void GgufFile::place_tensors(int64_t begin) {
  const int64_t alignment = metadata_->get_int("general.alignment", kGgufAlignment, 1, 1 << 20);
  if ((alignment & (alignment - 1)) != 0) metadata_->reject("general.alignment", "a power of two");
  begin = (begin + alignment - 1) / alignment * alignment;
  const auto fail = [&](const GgufTensor& tensor, const std::string& what) {
    throw DataError("'{}': tensor {} {}", FilePath(path_), TensorName(tensor.name, quote(tensor.name)), what);
  };
  std::vector<const GgufTensor*> order;
  for (GgufTensor& tensor : tensors_) {
    if (tensor.offset % alignment != 0) {
      fail(tensor, fmt::format("begins at {}, expected a multiple of {}", tensor.offset, alignment));
    }
    const int64_t space = std::max<int64_t>(0, file_->size() - begin);
    if (tensor.offset > space || tensor.bytes > space - tensor.offset) {
      fail(tensor,
           fmt::format("needs bytes {} to {} behind the header, of which the file has {}: it is truncated, or lies",
                       tensor.offset, static_cast<uint64_t>(tensor.offset) + static_cast<uint64_t>(tensor.bytes),
                       space));
    }
    tensor.offset += begin;
    order.push_back(&tensor);
  }
  std::ranges::sort(order, {}, &GgufTensor::offset);
  for (size_t i = 1; i < order.size(); ++i) {
    if (order[i - 1]->offset + order[i - 1]->bytes > order[i]->offset) {
      fail(*order[i], fmt::format("overlaps {}", quote(order[i - 1]->name)));
    }
  }
}

const GgufTensor* GgufFile::find(std::string_view name) const {
  const auto found = std::ranges::find(tensors_, name, &GgufTensor::name);
  return found == tensors_.end() ? nullptr : &*found;
}

}  // namespace roformer
