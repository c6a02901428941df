#include "formats/tensor_file.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/error.h"
#include "base/json.h"
#include "formats/gguf_blocks.h"
#include "formats/state_dict.h"
#include "formats/stored_form.h"

namespace roformer {

static_assert(std::endian::native == std::endian::little, "files are little-endian and read in place");

namespace {

std::optional<DType> native_dtype(std::string_view dtype) {
  if (dtype == "F32") return DType::float32;
  if (dtype == "F64") return DType::float64;
  if (dtype == "I32") return DType::int32;
  if (dtype == "I64") return DType::int64;
  if (dtype == "F16") return DType::float16;
  if (dtype == "BF16") return DType::bfloat16;
  const BlockType* type = find_block_type(dtype);
  if (type != nullptr && type->decode != nullptr) return DType::float32;
  return std::nullopt;
}

template <class Half>
Tensor widen_rows(const Tensor& x) {
  Tensor result = Tensor::allocate(x.shape(), DType::float32);
  for (int64_t i = 0; i < x.rows(); ++i) {
    const Half* const from = x.row<Half>(i);
    std::transform(from, from + x.columns(), result.row<float>(i), [](Half one) { return widened(one); });
  }
  return result;
}

Shape shape_of(const TensorInfo& info, const std::string& path) {
  if (info.shape.size() > Shape::kMaxRank) {
    throw DataError("'{}': tensor {} has {} dimensions, expected at most {}", FilePath(path),
                    TensorName(info.name, quote(info.name)), info.shape.size(), Shape::kMaxRank);
  }
  Shape shape;
  int64_t product = 1;
  for (const int64_t dim : info.shape) {
    // Zero dimensions do not bound the others, whose product is used as a row stride.
    if (dim > 0 && __builtin_mul_overflow(product, dim, &product)) {
      throw DataError("'{}': tensor {}: its shape is too large", FilePath(path),
                      TensorName(info.name, quote(info.name)));
    }
    shape.push_back(dim);
  }
  return shape;
}

}  // namespace

std::pair<Shape, DType> stored_form(const TensorInfo& info, const std::string& path) {
  const Shape shape = shape_of(info, path);
  const std::optional<DType> dtype = native_dtype(info.dtype);
  if (!dtype) {
    const bool in_blocks = find_block_type(info.dtype) != nullptr && element_bits(info.dtype) == 0;
    throw DataError("'{}': tensor {} is {}, expected {}", FilePath(path), TensorName(info.name, quote(info.name)),
                    info.dtype, in_blocks ? readable_block_types() : "F32, F64, F16, BF16, I32 or I64");
  }
  return {shape, *dtype};
}

Tensor widen(const Tensor& x) {
  if (x.dtype() == DType::float16) return widen_rows<Float16>(x);
  if (x.dtype() == DType::bfloat16) return widen_rows<BFloat16>(x);
  return x;
}

Tensor TensorFile::tensor(const std::string& name) const { return widen(stored(name)); }

void TensorFile::read_into(const std::string& name, const Tensor& to) const { copy_tensor(stored(name), to); }

int64_t element_bits(std::string_view dtype) {
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

const char* file_dtype(DType dtype) {
  switch (dtype) {
    case DType::float32: return "F32";
    case DType::float64: return "F64";
    case DType::int32: return "I32";
    case DType::int64: return "I64";
    case DType::float16: return "F16";
    case DType::bfloat16: return "BF16";
  }
  return "";
}

Tensor tensor_from_bytes(const std::shared_ptr<const void>& owner, const char* bytes, const TensorInfo& info,
                         const std::string& path) {
  const auto [shape, dtype] = stored_form(info, path);
  if (reinterpret_cast<uintptr_t>(bytes) % static_cast<uintptr_t>(dtype_size(dtype)) == 0) {
    return Tensor(std::shared_ptr<void>(std::const_pointer_cast<void>(owner), const_cast<char*>(bytes)), dtype, shape);
  }
  Tensor copy = Tensor::allocate(shape, dtype);
  if (copy.bytes() > 0) std::memcpy(copy.raw(), bytes, static_cast<size_t>(copy.bytes()));
  return copy;
}

}  // namespace roformer
