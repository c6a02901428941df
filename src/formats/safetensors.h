// The safetensors format (https://github.com/huggingface/safetensors, "Format"), read and written by the rules of its
// Rust implementation: an 8-byte little-endian header length, a JSON header, then the data without gaps. Pickle files
// (.bin) are read (pytorch_file.h) but never written: other programs execute what they contain.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "formats/tensor_file.h"
#include "tensor/tensor.h"

namespace roformer {

class SafetensorsFile : public TensorFile {
 public:
  // Checks the whole header against the file; data is read on use. FileError, or DataError naming the tensor.
  explicit SafetensorsFile(const std::string& path);

  const std::vector<TensorInfo>& tensors() const override { return tensors_; }  // in the order of their data
  bool contains(const std::string& name) const { return index_.contains(name); }
  const TensorInfo& info(const std::string& name) const { return tensors_[find(name)]; }  // DataError if there is none
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  const std::string& path() const override { return path_; }

  Tensor stored(const std::string& name) const override;

 private:
  void parse_header(const Json& header);
  size_t find(const std::string& name) const;

  std::string path_;
  std::shared_ptr<MappedFile> file_;
  const char* data_ = nullptr;  // the byte after the header
  std::vector<TensorInfo> tensors_;
  std::vector<std::pair<int64_t, int64_t>> ranges_;  // bytes after the header, one per tensor of tensors_
  std::map<std::string, size_t> index_;
  std::map<std::string, std::string> metadata_;
};

// Replaces `path` atomically. The output does not depend on the order of `tensors`: larger types first (for alignment),
// then by name; the header is padded to 8 bytes. Tensors may have a row stride and must be in host memory. ShapeError
// for an undefined tensor, DataError for a duplicate or non-UTF-8 name.
void write_safetensors(const std::string& path, const std::vector<std::pair<std::string, Tensor>>& tensors,
                       const std::map<std::string, std::string>& metadata = {});

}  // namespace roformer
