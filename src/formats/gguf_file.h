// GGUF files (github.com/ggml-org/ggml, docs/gguf.md), versions 2 and 3, little-endian: a header, metadata (keys with
// typed values), a table of tensors, and their data, mapped. Everything is checked against the size of the file before
// anything of that size is allocated.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "formats/gguf_blocks.h"

namespace roformer {

inline constexpr int64_t kMaxGgufElements = 8'000'000;  // of all arrays of the metadata together
inline constexpr size_t kMaxGgufDimensions = 4;
inline constexpr uint32_t kGgufAlignment = 32;  // of tensors, where "general.alignment" says nothing

struct GgufTensor {
  std::string name;
  const BlockType* type = nullptr;  // never null
  std::vector<int64_t> shape;       // the outermost dimension first: [rows, columns]; columns are whole blocks
  int64_t offset = 0, bytes = 0;    // in the file
};

// Whether a file begins as a GGUF file; false if it cannot be read.
bool is_gguf(const std::string& path);

class GgufFile {
 public:
  // FileError; DataError naming what is wrong: the key, the tensor, or the byte.
  explicit GgufFile(const std::string& path);

  const std::string& path() const { return path_; }
  uint32_t version() const { return version_; }
  // Keys to values. A float32 is the double of its shortest decimal, so that 1e-5 is 1e-5.
  const JsonObject& metadata() const { return *metadata_; }
  const std::vector<GgufTensor>& tensors() const { return tensors_; }  // in the order of the table
  const GgufTensor* find(std::string_view name) const;                 // null if there is none
  const char* data(const GgufTensor& tensor) const { return file_->data() + tensor.offset; }
  const std::shared_ptr<const MappedFile>& mapped() const { return file_; }

 private:
  void place_tensors(int64_t begin);

  std::string path_;
  std::shared_ptr<const MappedFile> file_;
  uint32_t version_ = 0;
  std::unique_ptr<JsonObject> metadata_;
  std::vector<GgufTensor> tensors_;
};

}  // namespace roformer
