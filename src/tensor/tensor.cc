#include "tensor/tensor.h"

#include <fmt/ranges.h>

#include <mutex>
#include <new>
#include <set>

#include "base/error.h"

namespace roformer {

Device::Device(std::string_view name) {
  static std::mutex mutex;
  static std::set<std::string, std::less<>> names;  // of devices: a few
  const std::lock_guard lock(mutex);
  name_ = &*names.emplace(name).first;
}

std::string_view Device::name() const { return is_host() ? "host" : std::string_view(*name_); }

bool is_real(DType dtype) { return dtype != DType::int32 && dtype != DType::int64; }

int64_t dtype_size(DType dtype) {
  switch (dtype) {
    case DType::float16:
    case DType::bfloat16: return 2;
    case DType::float32:
    case DType::int32: return 4;
    case DType::float64:
    case DType::int64: return 8;
  }
  return 0;
}

const char* dtype_name(DType dtype) {
  switch (dtype) {
    case DType::float32: return "float32";
    case DType::float64: return "float64";
    case DType::int32: return "int32";
    case DType::int64: return "int64";
    case DType::float16: return "float16";
    case DType::bfloat16: return "bfloat16";
  }
  return "";
}

Shape::Shape(std::initializer_list<int64_t> dims) {
  for (int64_t dim : dims) push_back(dim);
}

void Shape::push_back(int64_t dim) {
  if (rank_ == kMaxRank) throw ShapeError("a tensor has more than {} dimensions", kMaxRank);
  if (dim < 0) throw ShapeError("a tensor dimension is {}, expected 0 or more", dim);
  dims_[rank_++] = dim;
}

int64_t Shape::elements() const {
  int64_t product = 1;
  for (int i = 0; i < rank_; ++i) {
    if (__builtin_mul_overflow(product, dims_[i], &product)) throw ShapeError("tensor {} is too large", to_string());
  }
  return product;
}

bool Shape::operator==(const Shape& other) const {
  if (rank_ != other.rank_) return false;
  for (int i = 0; i < rank_; ++i) {
    if (dims_[i] != other.dims_[i]) return false;
  }
  return true;
}

std::string Shape::to_string() const {
  return fmt::format("[{}]", fmt::join(dims_.data(), dims_.data() + rank_, ", "));
}

Tensor::Tensor(std::shared_ptr<void> memory, DType dtype, Shape shape, int64_t row_stride, Device device)
    : memory_(std::move(memory)), dtype_(dtype), shape_(shape), row_stride_(row_stride), device_(device) {
  if (row_stride_ == 0) row_stride_ = columns();
}

Tensor Tensor::allocate(Shape shape, DType dtype) {
  int64_t bytes;
  if (__builtin_mul_overflow(shape.elements(), dtype_size(dtype), &bytes)) {
    throw ShapeError("tensor {} is too large", shape.to_string());
  }
  constexpr std::align_val_t kAlignment{64};
  std::shared_ptr<void> memory(::operator new(static_cast<size_t>(bytes) + 1, kAlignment),
                               [](void* p) { ::operator delete(p, kAlignment); });
  return Tensor(std::move(memory), dtype, shape);
}

int64_t Tensor::elements_per_row() const {
  int64_t product = 1;
  for (int i = 1; i < shape_.rank(); ++i) product *= shape_[i];
  return product;
}

void Tensor::refuse(DType expected) const {
  if (dtype_ != expected) throw ShapeError("tensor is {}, expected {}", dtype_name(dtype_), dtype_name(expected));
  refuse(Device());
}

void Tensor::refuse(Device expected) const {
  throw ShapeError("tensor {} is in the memory of device '{}', expected '{}'", shape_.to_string(), device_.name(),
                   expected.name());
}

void* Tensor::address_on(Device device) const {
  if (device_ != device) refuse(device);
  return memory_.get();
}

Tensor Tensor::row_range(int64_t begin, int64_t count) const {
  const int64_t total = shape_[0];
  if (shape_.rank() == 0 || begin < 0 || count < 0 || begin > total - count) {
    throw ShapeError("rows {}..{} of a tensor {}", begin, begin + count, shape_.to_string());
  }
  Shape shape{count};
  for (int i = 1; i < shape_.rank(); ++i) shape.push_back(shape_[i]);
  const int64_t stride = shape_.rank() == 1 ? 1 : row_stride_;
  std::shared_ptr<void> memory(memory_, static_cast<char*>(memory_.get()) + begin * stride * dtype_size(dtype_));
  return Tensor(std::move(memory), dtype_, shape, shape_.rank() == 1 ? count : row_stride_, device_);
}

Tensor Tensor::column_range(int64_t begin, int64_t count) const {
  if (shape_.rank() != 2 || begin < 0 || count < 0 || begin > shape_[1] - count) {
    throw ShapeError("columns {}..{} of a tensor {}", begin, begin + count, shape_.to_string());
  }
  std::shared_ptr<void> memory(memory_, static_cast<char*>(memory_.get()) + begin * dtype_size(dtype_));
  return Tensor(std::move(memory), dtype_, {shape_[0], count}, row_stride_, device_);
}

Tensor Tensor::reshaped(Shape shape) const {
  if (!contiguous() || shape.elements() != elements()) {
    throw ShapeError("cannot reshape {} to {}", shape_.to_string(), shape.to_string());
  }
  return Tensor(memory_, dtype_, shape, 0, device_);
}

}  // namespace roformer
