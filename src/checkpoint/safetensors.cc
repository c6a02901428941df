#include "checkpoint/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>
#include <set>
#include <string_view>

#include "base/error.h"
#include "base/json.h"

namespace roformer {

static_assert(std::endian::native == std::endian::little, "the format is little-endian and read in place");

namespace {

constexpr uint64_t kMaxHeaderBytes = 100'000'000;  // the Rust implementation's cap
constexpr int64_t kPrefixBytes = 8;

// Bits of one element; 0 for a type the format does not know.
int64_t bits_of(std::string_view dtype) {
  struct Entry {
    std::string_view name;
    int bits;
  };
  static constexpr Entry kTypes[] = {{"BOOL", 8}, {"F4", 4},      {"F6_E2M3", 6},     {"F6_E3M2", 6},     {"U8", 8},
                                     {"I8", 8},   {"F8_E5M2", 8}, {"F8_E4M3", 8},     {"F8_E8M0", 8},     {"I16", 16},
                                     {"U16", 16}, {"F16", 16},    {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8}, {"BF16", 16},
                                     {"I32", 32}, {"U32", 32},    {"F32", 32},        {"C64", 64},        {"F64", 64},
                                     {"I64", 64}, {"U64", 64}};
  for (const Entry& entry : kTypes) {
    if (entry.name == dtype) return entry.bits;
  }
  return 0;
}

std::optional<DType> native_dtype(std::string_view dtype) {
  if (dtype == "F32") return DType::float32;
  if (dtype == "F64") return DType::float64;
  if (dtype == "I32") return DType::int32;
  if (dtype == "I64") return DType::int64;
  return std::nullopt;
}

const char* file_dtype(DType dtype) {
  switch (dtype) {
    case DType::float32: return "F32";
    case DType::float64: return "F64";
    case DType::int32: return "I32";
    case DType::int64: return "I64";
  }
  return "";
}

float half_to_float(uint16_t half) {
  const uint32_t sign = uint32_t{half & 0x8000u} << 16, exponent = (half >> 10) & 0x1F, fraction = half & 0x3FF;
  if (exponent == 0) {  // zero and subnormals: fraction * 2^-24 is exact
    const float magnitude = static_cast<float>(fraction) * 0x1p-24f;
    return std::bit_cast<float>(std::bit_cast<uint32_t>(magnitude) | sign);
  }
  const uint32_t widened = exponent == 0x1F ? 0xFF : exponent + (127 - 15);
  return std::bit_cast<float>(sign | (widened << 23) | (fraction << 13));
}

float bfloat_to_float(uint16_t bits) { return std::bit_cast<float>(uint32_t{bits} << 16); }

template <float (*convert)(uint16_t)>
Tensor widened(const char* source, Shape shape) {
  Tensor result = Tensor::allocate(shape, DType::float32);
  float* target = result.data<float>();
  for (int64_t i = 0, count = result.elements(); i < count; ++i) {
    uint16_t bits;
    std::memcpy(&bits, source + 2 * i, sizeof bits);
    target[i] = convert(bits);
  }
  return result;
}

// One entry of the header, complete but for its place among the others.
class EntryParser {
 public:
  EntryParser(const std::string& path, const std::string& name, const Json& entry) : path_(path), entry_(entry) {
    info_.name = name;
  }

  TensorInfo parse() {
    if (!entry_.is_object()) fail("its description is not an object");
    const Json& dtype = member("dtype");
    if (!dtype.is_string()) fail("its dtype is not a string");
    info_.dtype = dtype.get<std::string>();
    const int64_t bits = bits_of(info_.dtype);
    if (bits == 0) fail(fmt::format("unknown dtype {}", quote(info_.dtype)));
    info_.shape = integers("shape");
    const std::vector<int64_t> offsets = integers("data_offsets");
    if (offsets.size() != 2) fail("data_offsets is not a pair");
    info_.begin = offsets[0];
    info_.end = offsets[1];
    if (info_.end < info_.begin) fail(fmt::format("its data end at {}, before they begin", info_.end));
    check_size(bits);
    return std::move(info_);
  }

 private:
  [[noreturn]] void fail(const std::string& reason) const {
    throw DataError("'{}': tensor {}: {}", path_, quote(info_.name), reason);
  }

  const Json& member(const char* key) const {
    const auto found = entry_.find(key);
    if (found == entry_.end()) fail(fmt::format("{} is missing", key));
    return *found;
  }

  std::vector<int64_t> integers(const char* key) const {
    const Json& list = member(key);
    if (!list.is_array()) fail(fmt::format("{} is not a list", key));
    std::vector<int64_t> result;
    for (const Json& item : list) {
      if (!item.is_number_unsigned() || item.get<uint64_t>() > uint64_t{INT64_MAX}) {
        fail(fmt::format("{} holds {}, expected whole numbers from 0", key, quote(dump_json(item))));
      }
      result.push_back(item.get<int64_t>());
    }
    return result;
  }

  void check_size(int64_t bits) const {
    int64_t total = 1;
    bool overflow = false;
    for (int64_t dim : info_.shape) overflow |= __builtin_mul_overflow(total, dim, &total);
    overflow |= __builtin_mul_overflow(total, bits, &total);
    if (overflow) fail("its shape is too large");
    if (total % 8 != 0) fail("its data end within a byte");
    if (total / 8 != info_.end - info_.begin) {
      fail(fmt::format("its shape needs {} bytes, its data_offsets span {}", total / 8, info_.end - info_.begin));
    }
  }

  const std::string& path_;
  const Json& entry_;
  TensorInfo info_;
};

}  // namespace

SafetensorsFile::SafetensorsFile(const std::string& path) : path_(path), file_(std::make_shared<MappedFile>(path)) {
  const std::string_view bytes = file_->view();
  if (bytes.size() < kPrefixBytes) {
    throw DataError("'{}' is not a safetensors file: {} bytes, expected a header length of 8", path, bytes.size());
  }
  uint64_t length;
  std::memcpy(&length, bytes.data(), sizeof length);
  if (length > kMaxHeaderBytes) {
    throw DataError("'{}' is not a safetensors file: a header of {} bytes, expected at most {}", path, length,
                    kMaxHeaderBytes);
  }
  if (length > bytes.size() - kPrefixBytes) {
    throw DataError("'{}' is cut short: a header of {} bytes in a file of {}", path, length, bytes.size());
  }
  const std::string_view text = bytes.substr(kPrefixBytes, length);
  if (text.empty() || text[0] != '{') {
    throw DataError("'{}' is not a safetensors file: its header does not start with '{{'", path);
  }
  data_ = text.data() + text.size();
  parse_header(parse_json(text, fmt::format("header of '{}'", path), {.values = 4'000'000}));
  const int64_t covered = tensors_.empty() ? 0 : tensors_.back().end;
  const int64_t present = file_->size() - kPrefixBytes - static_cast<int64_t>(length);
  if (covered != present) {
    throw DataError("'{}' is {}: its tensors take {} bytes, it holds {}", path,
                    present < covered ? "cut short" : "malformed", covered, present);
  }
}

void SafetensorsFile::parse_header(const Json& header) {
  for (const auto& [name, entry] : header.items()) {
    if (name != "__metadata__") {
      tensors_.push_back(EntryParser(path_, name, entry).parse());
      continue;
    }
    if (!entry.is_object()) throw DataError("'{}': __metadata__ is not an object", path_);
    for (const auto& [key, value] : entry.items()) {
      if (!value.is_string()) throw DataError("'{}': __metadata__ {} is not a string", path_, quote(key));
      metadata_[key] = value.get<std::string>();
    }
  }
  // Empty tensors share their offset with the next one; stable, so those stay in order of name.
  std::stable_sort(tensors_.begin(), tensors_.end(), [](const TensorInfo& a, const TensorInfo& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  int64_t expected = 0;
  for (size_t i = 0; i < tensors_.size(); ++i) {
    const TensorInfo& tensor = tensors_[i];
    if (tensor.begin != expected) {
      throw DataError("'{}': tensor {}: its data begin at {}, expected {} (no {})", path_, quote(tensor.name),
                      tensor.begin, expected, tensor.begin > expected ? "holes" : "overlaps");
    }
    expected = tensor.end;
    index_[tensor.name] = i;
  }
}

const TensorInfo& SafetensorsFile::info(const std::string& name) const {
  const auto found = index_.find(name);
  if (found == index_.end()) throw DataError("'{}' has no tensor {}", path_, quote(name));
  return tensors_[found->second];
}

Tensor SafetensorsFile::tensor(const std::string& name) const {
  const TensorInfo& entry = info(name);
  if (entry.shape.size() > Shape::kMaxRank) {
    throw DataError("'{}': tensor {} has {} dimensions, expected at most {}", path_, quote(name), entry.shape.size(),
                    Shape::kMaxRank);
  }
  Shape shape;
  int64_t product = 1;
  for (int64_t dim : entry.shape) {
    // An empty tensor passes the size check whatever its other dimensions are; their product is a row stride.
    if (dim > 0 && __builtin_mul_overflow(product, dim, &product)) {
      throw DataError("'{}': tensor {}: its shape is too large", path_, quote(name));
    }
    shape.push_back(dim);
  }
  const char* source = data_ + entry.begin;
  if (entry.dtype == "F16") return widened<half_to_float>(source, shape);
  if (entry.dtype == "BF16") return widened<bfloat_to_float>(source, shape);
  const std::optional<DType> dtype = native_dtype(entry.dtype);
  if (!dtype) {
    throw DataError("'{}': tensor {} is {}, expected F32, F64, F16, BF16, I32 or I64", path_, quote(name), entry.dtype);
  }
  if (reinterpret_cast<uintptr_t>(source) % static_cast<uintptr_t>(dtype_size(*dtype)) == 0) {
    return Tensor(std::shared_ptr<void>(file_, const_cast<char*>(source)), *dtype, shape);
  }
  Tensor copy = Tensor::allocate(shape, *dtype);
  std::memcpy(copy.raw(), source, static_cast<size_t>(entry.end - entry.begin));
  return copy;
}

namespace {

// The header with its length, padded so that the data begin at a multiple of 8.
std::string build_header(const std::string& path, const std::vector<const std::pair<std::string, Tensor>*>& tensors,
                         const std::map<std::string, std::string>& metadata) {
  std::string text = "{";
  int64_t offset = 0;
  try {
    if (!metadata.empty()) text += "\"__metadata__\":" + Json(metadata).dump() + ",";
    for (const auto* item : tensors) {
      const auto& [name, tensor] = *item;
      Json shape = Json::array();
      for (int i = 0; i < tensor.shape().rank(); ++i) shape.push_back(tensor.dim(i));
      text += fmt::format("{}:{{\"dtype\":\"{}\",\"shape\":{},\"data_offsets\":[{},{}]}},", Json(name).dump(),
                          file_dtype(tensor.dtype()), shape.dump(), offset, offset + tensor.bytes());
      offset += tensor.bytes();
    }
  } catch (const Json::exception&) {
    throw DataError("cannot write '{}': a tensor's name or the metadata are not valid UTF-8", path);
  }
  if (text.back() == ',') text.pop_back();
  text += "}";
  text.resize((text.size() + 7) / 8 * 8, ' ');
  if (text.size() > kMaxHeaderBytes) {
    throw DataError("cannot write '{}': a header of {} bytes, expected at most {}", path, text.size(), kMaxHeaderBytes);
  }
  const uint64_t length = text.size();
  return std::string(reinterpret_cast<const char*>(&length), sizeof length) + text;
}

}  // namespace

void write_safetensors(const std::string& path, const std::vector<std::pair<std::string, Tensor>>& tensors,
                       const std::map<std::string, std::string>& metadata) {
  std::vector<const std::pair<std::string, Tensor>*> order;
  std::set<std::string_view> names;
  for (const auto& item : tensors) {
    if (!item.second.defined()) throw ShapeError("cannot write '{}': tensor '{}' is undefined", path, item.first);
    if (item.first == "__metadata__" || !names.insert(item.first).second) {
      throw DataError("cannot write '{}': the tensor name {} is taken", path, quote(item.first));
    }
    order.push_back(&item);
  }
  // The Rust implementation's order, whose types rank I64, F64, F32, I32.
  const auto rank = [](const Tensor& tensor) {
    switch (tensor.dtype()) {
      case DType::int64: return 0;
      case DType::float64: return 1;
      case DType::float32: return 2;
      case DType::int32: return 3;
    }
    return 4;
  };
  std::sort(order.begin(), order.end(), [&](const auto* a, const auto* b) {
    const int left = rank(a->second), right = rank(b->second);
    return left != right ? left < right : a->first < b->first;
  });

  AtomicFile file(path);
  file.writer().write(build_header(path, order, metadata));
  for (const auto* item : order) {
    const Tensor& tensor = item->second;
    const int64_t width = dtype_size(tensor.dtype());
    if (tensor.contiguous()) {
      file.writer().write(tensor.raw(), tensor.bytes());
      continue;
    }
    for (int64_t row = 0; row < tensor.rows(); ++row) {
      file.writer().write(static_cast<const char*>(tensor.raw()) + row * tensor.row_stride() * width,
                          tensor.columns() * width);
    }
  }
  file.commit();
}

}  // namespace roformer
