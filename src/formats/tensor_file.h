// The common interface of tensor files: names, types and shapes, which are read without the data, and tensors that are
// views of mapped bytes. Types have safetensors names in all formats.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/tensor.h"

namespace roformer {

struct TensorInfo {
  std::string name;
  std::string dtype;           // "F32", "BF16", ...
  std::vector<int64_t> shape;  // any rank, no negative dimension; the number of bytes fits int64
};

class TensorFile {
 public:
  virtual ~TensorFile() = default;
  virtual const std::vector<TensorInfo>& tensors() const = 0;
  virtual const std::string& path() const = 0;
  // In the file's type, F32, F64, I32, I64, F16 or BF16, or as float32 if it is in blocks of integers that GGUF files
  // have (gguf_blocks.h, where the type's name is looked up): a read-only view that keeps the mapped file alive (a copy
  // if the data is unaligned, not contiguous or in blocks). DataError for other types, more than 4 dimensions, or an
  // unknown name.
  virtual Tensor stored(const std::string& name) const = 0;
  // The same, with F16 and BF16 converted to float32.
  Tensor tensor(const std::string& name) const;
  // Writes the tensor to `to`, of its shape (see copy_tensor of formats/state_dict.h); what is in blocks without
  // another copy.
  virtual void read_into(const std::string& name, const Tensor& to) const;
};

// Bits per element; 0 for a type unknown to safetensors.
int64_t element_bits(std::string_view dtype);

// The safetensors name of a DType.
const char* file_dtype(DType dtype);

// Converts float16 and bfloat16 to float32; returns others unchanged.
Tensor widen(const Tensor& x);

// A tensor of the contiguous elements at `bytes`, which live as long as `owner`; see TensorFile::stored. `path` is for
// the message.
Tensor tensor_from_bytes(const std::shared_ptr<const void>& owner, const char* bytes, const TensorInfo& info,
                         const std::string& path);

}  // namespace roformer
