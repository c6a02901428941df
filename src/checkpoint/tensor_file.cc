#include "checkpoint/tensor_file.h"

#include <bit>
#include <cstring>

#include "base/error.h"
#include "base/json.h"

namespace roformer {

static_assert(std::endian::native == std::endian::little, "files are little-endian and read in place");

namespace {

std::optional<DType> native_dtype(std::string_view dtype) {
  if (dtype == "F32") return DType::float32;
  if (dtype == "F64") return DType::float64;
  if (dtype == "I32") return DType::int32;
  if (dtype == "I64") return DType::int64;
  return std::nullopt;
}

// Without a branch, so that the loop over it is vectorised. As a float32 with the exponent's bias of float16 the number
// is 2^-112 of what it should be, also where float16 is subnormal; infinities and NaN get the largest exponent.
float half_to_float(uint16_t half) {
  const uint32_t magnitude = uint32_t{half & 0x7FFFu} << 13, sign = uint32_t{half & 0x8000u} << 16;
  const uint32_t scaled = std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) * 0x1p112f);
  const uint32_t special = magnitude >= 0x7C00u << 13 ? 0x7F800000u : 0;
  return std::bit_cast<float>(scaled | special | sign);
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

Shape shape_of(const TensorInfo& info, const std::string& path) {
  if (info.shape.size() > Shape::kMaxRank) {
    throw DataError("'{}': tensor {} has {} dimensions, expected at most {}", path, quote(info.name), info.shape.size(),
                    Shape::kMaxRank);
  }
  Shape shape;
  int64_t product = 1;
  for (const int64_t dim : info.shape) {
    // An empty tensor has few bytes whatever its other dimensions are; their product is a row stride.
    if (dim > 0 && __builtin_mul_overflow(product, dim, &product)) {
      throw DataError("'{}': tensor {}: its shape is too large", path, quote(info.name));
    }
    shape.push_back(dim);
  }
  return shape;
}

}  // namespace

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
  }
  return "";
}

Tensor tensor_from_bytes(const std::shared_ptr<const void>& owner, const char* bytes, const TensorInfo& info,
                         const std::string& path) {
  const Shape shape = shape_of(info, path);
  if (info.dtype == "F16") return widened<half_to_float>(bytes, shape);
  if (info.dtype == "BF16") return widened<bfloat_to_float>(bytes, shape);
  const std::optional<DType> dtype = native_dtype(info.dtype);
  if (!dtype) {
    throw DataError("'{}': tensor {} is {}, expected F32, F64, F16, BF16, I32 or I64", path, quote(info.name),
                    info.dtype);
  }
  if (reinterpret_cast<uintptr_t>(bytes) % static_cast<uintptr_t>(dtype_size(*dtype)) == 0) {
    return Tensor(std::shared_ptr<void>(std::const_pointer_cast<void>(owner), const_cast<char*>(bytes)), *dtype, shape);
  }
  Tensor copy = Tensor::allocate(shape, *dtype);
  if (copy.bytes() > 0) std::memcpy(copy.raw(), bytes, static_cast<size_t>(copy.bytes()));
  return copy;
}

}  // namespace roformer
