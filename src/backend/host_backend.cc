#include "backend/host_backend.h"

#include <sys/mman.h>

#include <memory>
#include <new>

namespace roformer {

namespace {

// Pages from the system are zero, and free until they are touched; huge pages then fault every 2 MiB instead of every 4
// KiB. Not calloc: it clears recycled memory eagerly.
std::shared_ptr<void> zero_pages(size_t bytes) {
  void* pages = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) throw std::bad_alloc();
  constexpr size_t kHuge = size_t{1} << 21;
  void* inside = pages;
  size_t available = bytes;
  if (std::align(kHuge, kHuge, inside, available) != nullptr) madvise(inside, available / kHuge * kHuge, MADV_HUGEPAGE);
  return std::shared_ptr<void>(pages, [bytes](void* block) { munmap(block, bytes); });
}

// x, or a ShapeError.
const Tensor& on_host(const Tensor& x) {
  x.address_on(Device());
  return x;
}

}  // namespace

Tensor HostBackend::zeros(Shape shape) {
  constexpr size_t kLarge = size_t{1} << 18;
  const auto bytes = static_cast<size_t>(shape.elements() * dtype_size(real()));
  if (bytes >= kLarge) return Tensor(zero_pages(bytes), real(), shape);
  return Backend::zeros(shape);
}

Tensor HostBackend::from_host(const Tensor& x) { return on_host(x); }

Tensor HostBackend::to_host(const Tensor& x) { return on_host(x); }

void HostBackend::write(const Tensor& x, const std::function<void(const Tensor& host)>& fill) { fill(on_host(x)); }

}  // namespace roformer
