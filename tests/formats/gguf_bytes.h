// GGUF files in memory, piece by piece, for tests of what is wrong with them.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace roformer::test {

template <class Number>
std::string le(Number value) {
  std::string bytes(sizeof value, '\0');
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}
inline std::string gguf_text(const std::string& text) { return le(uint64_t{text.size()}) + text; }
inline std::string gguf_u32(const std::string& key, uint32_t value) {
  return gguf_text(key) + le(uint32_t{4}) + le(value);
}
inline std::string gguf_string(const std::string& key, const std::string& value) {
  return gguf_text(key) + le(uint32_t{8}) + gguf_text(value);
}
// `dims` as in the file, the innermost first.
inline std::string gguf_tensor(const std::string& name, const std::vector<uint64_t>& dims, uint32_t type,
                               uint64_t offset) {
  std::string entry = gguf_text(name) + le(static_cast<uint32_t>(dims.size()));
  for (const uint64_t dim : dims) entry += le(dim);
  return entry + le(type) + le(offset);
}

struct GgufBytes {
  std::vector<std::string> items = {}, tensors = {};
  int64_t data = 0;  // zero bytes behind the header
  uint32_t version = 3;
  uint64_t more_items = 0, more_tensors = 0;  // that are claimed and not there

  std::string bytes() const {
    std::string all = "GGUF" + le(version) + le(tensors.size() + more_tensors) + le(items.size() + more_items);
    for (const std::string& item : items) all += item;
    for (const std::string& tensor : tensors) all += tensor;
    all.resize((all.size() + 31) / 32 * 32 + static_cast<size_t>(data), '\0');
    return all;
  }
};

}  // namespace roformer::test
