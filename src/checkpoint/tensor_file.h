// What every file of tensors has in common: a list of names, types and shapes that is read without the numbers, and
// tensors made of mapped bytes. Names of types are those of the safetensors format, whatever the file calls them.
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
  // F32, F64, I32 and I64 are read-only views that keep the mapped file alive (copies where the file does not align
  // them or keeps them in another order); F16 and BF16 become new float32 tensors. DataError for other types, for more
  // than 4 dimensions or if there is none of that name.
  virtual Tensor tensor(const std::string& name) const = 0;
};

// Bits of one element; 0 for a type that safetensors does not know.
int64_t element_bits(std::string_view dtype);

// The name of one of our types.
const char* file_dtype(DType dtype);

// A tensor of the elements at `bytes`, which lie one after another and live as long as `owner`: see
// TensorFile::tensor. `path` is for the message.
Tensor tensor_from_bytes(const std::shared_ptr<const void>& owner, const char* bytes, const TensorInfo& info,
                         const std::string& path);

}  // namespace roformer
