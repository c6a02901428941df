// Tensor: a typed view of shared memory, of rank 4 at most, contiguous except for a row stride. It is not an array
// library: it has no arithmetic and no broadcasting; backends do the work. General strides were rejected because the
// only views this project needs are row ranges (a sequence, a chunk) and column ranges (q, k, v of a fused projection),
// and one stride keeps every kernel readable.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

#include "tensor/half.h"

namespace roformer {

// Where memory is: on the host, or on a device whose memory only the kernels of its backend may access. A value type:
// devices with equal names are equal.
class Device {
 public:
  Device() = default;  // the host
  // E.g. "cuda:0". Names are interned for the life of the program, so copies are free.
  explicit Device(std::string_view name);
  bool is_host() const { return name_ == nullptr; }
  std::string_view name() const;  // "host" of the host
  bool operator==(const Device& other) const { return name() == other.name(); }

 private:
  const std::string* name_ = nullptr;
};

// float16 and bfloat16 are storage types of weights (tensor/half.h); nothing is computed in them.
enum class DType : uint8_t { float32, float64, int32, int64, float16, bfloat16 };

bool is_real(DType dtype);            // a floating-point type
int64_t dtype_size(DType dtype);      // bytes of one element
const char* dtype_name(DType dtype);  // "float32"

template <class T>
struct dtype_of;
template <>
struct dtype_of<float> {
  static constexpr DType value = DType::float32;
};
template <>
struct dtype_of<double> {
  static constexpr DType value = DType::float64;
};
template <>
struct dtype_of<int32_t> {
  static constexpr DType value = DType::int32;
};
template <>
struct dtype_of<int64_t> {
  static constexpr DType value = DType::int64;
};
template <>
struct dtype_of<Float16> {
  static constexpr DType value = DType::float16;
};
template <>
struct dtype_of<BFloat16> {
  static constexpr DType value = DType::bfloat16;
};

class Shape {
 public:
  static constexpr int kMaxRank = 4;
  Shape() = default;
  Shape(std::initializer_list<int64_t> dims);
  int rank() const { return rank_; }
  int64_t operator[](int i) const { return dims_[i]; }
  void push_back(int64_t dim);  // ShapeError beyond rank 4
  int64_t elements() const;     // 1 for rank 0; ShapeError where the product overflows
  bool operator==(const Shape& other) const;
  std::string to_string() const;  // "[2, 3]"

 private:
  std::array<int64_t, kMaxRank> dims_{};
  int rank_ = 0;
};

class Tensor {
 public:
  Tensor() = default;  // no memory; defined() is false
  // A view that shares ownership of `memory`. `row_stride` is in elements, 0 = contiguous.
  Tensor(std::shared_ptr<void> memory, DType dtype, Shape shape, int64_t row_stride = 0, Device device = {});
  // Uninitialized host memory, 64-byte aligned. Backends have their own allocators; this one is for files and tests.
  static Tensor allocate(Shape shape, DType dtype);

  bool defined() const { return memory_ != nullptr; }
  Device device() const { return device_; }
  DType dtype() const { return dtype_; }
  const Shape& shape() const { return shape_; }
  int64_t dim(int i) const { return shape_[i]; }
  int64_t elements() const { return shape_.elements(); }
  int64_t bytes() const { return elements() * dtype_size(dtype_); }
  // First dimension and product of the others; a rank-1 tensor is one row.
  int64_t rows() const { return shape_.rank() <= 1 ? 1 : shape_[0]; }
  int64_t columns() const { return shape_.rank() == 0 ? 1 : shape_.rank() == 1 ? shape_[0] : elements_per_row(); }
  int64_t row_stride() const { return row_stride_; }
  bool contiguous() const { return rows() <= 1 || row_stride_ == columns(); }

  // Pointer to the first element; ShapeError if T is not the element type or the memory is not on the host
  // (Backend::to_host copies it there).
  template <class T>
  T* data() const {
    if (dtype_ != dtype_of<T>::value || !device_.is_host()) refuse(dtype_of<T>::value);
    return static_cast<T*>(memory_.get());
  }
  template <class T>
  T* row(int64_t i) const {
    return data<T>() + i * row_stride_;
  }
  void* raw() const { return address_on(Device()); }  // likewise, for any type
  // For a backend's own kernels: the address of the first element on that device; ShapeError if it is on another.
  void* address_on(Device device) const;

  Tensor row_range(int64_t begin, int64_t count) const;     // rank >= 2: rows begin … begin+count-1; rank 1: elements
  Tensor column_range(int64_t begin, int64_t count) const;  // rank 2
  Tensor reshaped(Shape shape) const;                       // contiguous tensors, same number of elements

 private:
  [[noreturn]] void refuse(DType expected) const;  // on the host
  [[noreturn]] void refuse(Device expected) const;
  int64_t elements_per_row() const;

  std::shared_ptr<void> memory_;
  DType dtype_ = DType::float32;
  Shape shape_;
  int64_t row_stride_ = 0;
  Device device_;
};

}  // namespace roformer
