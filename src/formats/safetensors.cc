#include "formats/safetensors.h"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>

#include "base/error.h"
#include "base/json.h"

namespace roformer {

namespace {

constexpr uint64_t kMaxHeaderBytes = 100'000'000;  // the Rust implementation's cap
constexpr int64_t kPrefixBytes = 8;

struct Entry {
  TensorInfo info;
  int64_t begin = 0;  // bytes [begin, end) after the header
  int64_t end = 0;
};

// One entry of the header, checked on its own.
class EntryParser {
 public:
  EntryParser(const std::string& path, const std::string& name, const Json& json) : path_(path), json_(json) {
    entry_.info.name = name;
  }

  Entry parse() {
    if (!json_.is_object()) fail("its description is not an object");
    const Json& dtype = member("dtype");
    if (!dtype.is_string()) fail("its dtype is not a string");
    entry_.info.dtype = dtype.get<std::string>();
    const int64_t bits = element_bits(entry_.info.dtype);
    if (bits == 0) fail(fmt::format("unknown dtype {}", quote(entry_.info.dtype)));
    entry_.info.shape = integers("shape");
    const std::vector<int64_t> offsets = integers("data_offsets");
    if (offsets.size() != 2) fail("data_offsets is not a pair");
    entry_.begin = offsets[0];
    entry_.end = offsets[1];
    if (entry_.end < entry_.begin) fail(fmt::format("its data end at {}, before they begin", entry_.end));
    check_size(bits);
    return std::move(entry_);
  }

 private:
  [[noreturn]] void fail(const std::string& reason) const {
    throw DataError("'{}': tensor {}: {}", FilePath(path_), TensorName(entry_.info.name, quote(entry_.info.name)),
                    reason);
  }

  const Json& member(const char* key) const {
    const auto found = json_.find(key);
    if (found == json_.end()) fail(fmt::format("{} is missing", key));
    return *found;
  }

  std::vector<int64_t> integers(const char* key) const {
    const Json& list = member(key);
    if (!list.is_array()) fail(fmt::format("{} is not a list", key));
    std::vector<int64_t> result;
    for (const Json& item : list) {
      if (!item.is_number_unsigned() || item.get<uint64_t>() > uint64_t{INT64_MAX}) {
        fail(fmt::format("{} holds {}, expected non-negative integers", key, quote(dump_json(item))));
      }
      result.push_back(item.get<int64_t>());
    }
    return result;
  }

  void check_size(int64_t bits) const {
    int64_t total = 1;
    bool overflow = false;
    for (int64_t dim : entry_.info.shape) overflow |= __builtin_mul_overflow(total, dim, &total);
    overflow |= __builtin_mul_overflow(total, bits, &total);
    if (overflow) fail("its shape is too large");
    if (total % 8 != 0) fail("its data end within a byte");
    if (total / 8 != entry_.end - entry_.begin) {
      fail(fmt::format("its shape needs {} bytes, its data_offsets span {}", total / 8, entry_.end - entry_.begin));
    }
  }

  const std::string& path_;
  const Json& json_;
  Entry entry_;
};

}  // namespace

SafetensorsFile::SafetensorsFile(const std::string& path) : path_(path), file_(std::make_shared<MappedFile>(path)) {
  const std::string_view bytes = file_->view();
  if (bytes.size() < kPrefixBytes) {
    throw DataError("'{}' is not a safetensors file: {} bytes, expected a header length of 8", FilePath(path),
                    bytes.size());
  }
  uint64_t length;
  std::memcpy(&length, bytes.data(), sizeof length);
  if (length > kMaxHeaderBytes) {
    throw DataError("'{}' is not a safetensors file: a header of {} bytes, expected at most {}", FilePath(path), length,
                    kMaxHeaderBytes);
  }
  if (length > bytes.size() - kPrefixBytes) {
    throw DataError("'{}' is truncated: a header of {} bytes in a file of {}", FilePath(path), length, bytes.size());
  }
  const std::string_view text = bytes.substr(kPrefixBytes, length);
  if (text.empty() || text[0] != '{') {
    throw DataError("'{}' is not a safetensors file: its header does not start with '{{'", FilePath(path));
  }
  data_ = text.data() + text.size();
  parse_header(parse_json(text, fmt::format("header of '{}'", path), {.values = 4'000'000}, path));
  const int64_t covered = ranges_.empty() ? 0 : ranges_.back().second;
  const int64_t present = file_->size() - kPrefixBytes - static_cast<int64_t>(length);
  if (covered != present) {
    throw DataError("'{}' is {}: its tensors need {} bytes, it has {}", FilePath(path),
                    present < covered ? "truncated" : "malformed", covered, present);
  }
}

void SafetensorsFile::parse_header(const Json& header) {
  std::vector<Entry> entries;
  for (const auto& [name, entry] : header.items()) {
    if (name != "__metadata__") {
      entries.push_back(EntryParser(path_, name, entry).parse());
      continue;
    }
    if (!entry.is_object()) throw DataError("'{}': {} is not an object", FilePath(path_), KeyName("__metadata__"));
    for (const auto& [key, value] : entry.items()) {
      if (!value.is_string())
        throw DataError("'{}': {} {} is not a string", FilePath(path_), KeyName("__metadata__"), quote(key));
      metadata_[key] = value.get<std::string>();
    }
  }
  // Empty tensors share their offset with the next one; a stable sort keeps them ordered by name.
  std::stable_sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  int64_t expected = 0;
  for (Entry& entry : entries) {
    if (entry.begin != expected) {
      throw DataError("'{}': tensor {}: its data begin at {}, expected {} (no {})", FilePath(path_),
                      TensorName(entry.info.name, quote(entry.info.name)), entry.begin, expected,
                      entry.begin > expected ? "holes" : "overlaps");
    }
    expected = entry.end;
    index_[entry.info.name] = tensors_.size();
    ranges_.emplace_back(entry.begin, entry.end);
    tensors_.push_back(std::move(entry.info));
  }
}

size_t SafetensorsFile::find(const std::string& name) const {
  const auto found = index_.find(name);
  if (found == index_.end()) throw DataError("'{}' has no tensor {}", FilePath(path_), TensorName(name, quote(name)));
  return found->second;
}

Tensor SafetensorsFile::stored(const std::string& name) const {
  const size_t i = find(name);
  return tensor_from_bytes(file_, data_ + ranges_[i].first, tensors_[i], path_);
}

namespace {

// The header with its length prefix, padded so that the data starts at a multiple of 8.
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
    throw DataError("cannot write '{}': a tensor's name or the metadata are not valid UTF-8", FilePath(path));
  }
  if (text.back() == ',') text.pop_back();
  text += "}";
  text.resize((text.size() + 7) / 8 * 8, ' ');
  if (text.size() > kMaxHeaderBytes) {
    throw DataError("cannot write '{}': a header of {} bytes, expected at most {}", FilePath(path), text.size(),
                    kMaxHeaderBytes);
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
    if (!item.second.defined())
      throw ShapeError("cannot write '{}': tensor '{}' is undefined", FilePath(path), TensorName(item.first));
    if (item.first == "__metadata__" || !names.insert(item.first).second) {
      throw DataError("cannot write '{}': the tensor name {} occurs twice", FilePath(path),
                      TensorName(item.first, quote(item.first)));
    }
    order.push_back(&item);
  }
  // The Rust implementation's order of types: I64, F64, F32, I32, BF16, F16.
  const auto rank = [](const Tensor& tensor) {
    switch (tensor.dtype()) {
      case DType::int64: return 0;
      case DType::float64: return 1;
      case DType::float32: return 2;
      case DType::int32: return 3;
      case DType::bfloat16: return 4;
      case DType::float16: return 5;
    }
    return 6;
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
