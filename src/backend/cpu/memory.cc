#include "backend/cpu/memory.h"

#include <algorithm>
#include <bit>
#include <new>

namespace roformer {

namespace {

constexpr std::align_val_t kAlignment{64};

size_t size_class(size_t bytes) {
  const size_t step = std::max<size_t>(64, std::bit_ceil(bytes) / 16);
  return (bytes + step - 1) / step * step;
}

}  // namespace

MemoryCache::~MemoryCache() {
  for (auto& [size, blocks] : free_) {
    for (void* block : blocks) ::operator delete(block, kAlignment);
  }
}

std::shared_ptr<void> MemoryCache::take(size_t bytes) {
  const size_t size = size_class(std::max<size_t>(bytes, 1));
  void* block = nullptr;
  {
    std::lock_guard lock(mutex_);
    auto& blocks = free_[size];
    if (!blocks.empty()) {
      block = blocks.back();
      blocks.pop_back();
    }
  }
  if (block == nullptr) block = ::operator new(size, kAlignment);
  return std::shared_ptr<void>(block, [cache = shared_from_this(), size](void* p) {
    std::lock_guard lock(cache->mutex_);
    try {
      cache->free_[size].push_back(p);
    } catch (const std::bad_alloc&) {
      ::operator delete(p, kAlignment);
    }
  });
}

}  // namespace roformer
