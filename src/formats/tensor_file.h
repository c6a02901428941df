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
  // In the file's type, F32, F64, I32, I64, F16 or BF16: read-only views that keep the mapped file alive (copies where
  // the file does not align them or keeps them in another order). DataError for other types, for more than 4 dimensions
  // or if there is none of that name.
  virtual Tensor stored(const std::string& name) const = 0;
  // The same, but F16 and BF16 as new float32 tensors.
  Tensor tensor(const std::string& name) const;
};

// Bits of one element; 0 for a type that safetensors does not know.
int64_t element_bits(std::string_view dtype);

// The name of one of our types.
const char* file_dtype(DType dtype);

// float16 and bfloat16 as new float32 tensors; others as they are.
Tensor widen(const Tensor& x);

// A tensor of the elements at `bytes`, which lie one after another and live as long as `owner`: see
// TensorFile::stored. `path` is for the message.
Tensor tensor_from_bytes(const std::shared_ptr<const void>& owner, const char* bytes, const TensorInfo& info,
                         const std::string& path);

}  // namespace roformer
