// Working memory of a backend: one address range, divided into blocks first fit from below; freed blocks are merged
// with free neighbors. Pages are committed as the range fills and retained, so a training step allocates nothing after
// the first, whatever the shapes, and needs 3 % more than its live memory. Free lists by size needed a quarter more;
// ranges of a few dozen MiB, two fifths.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

namespace roformer {

class MemoryCache : public std::enable_shared_from_this<MemoryCache> {
 public:
  MemoryCache() = default;
  ~MemoryCache();
  MemoryCache(const MemoryCache&) = delete;
  MemoryCache& operator=(const MemoryCache&) = delete;

  // 64-byte aligned, uninitialized; released to the cache by the last owner. Thread-safe. Throws std::bad_alloc.
  std::shared_ptr<void> allocate(size_t bytes);

 private:
  using Blocks = std::map<std::byte*, size_t>;  // address, bytes

  // Addresses begin … limit, of which those below `end` are backed by pages. There is a second range only if the system
  // limited the first.
  struct Range {
    void* mapping;
    size_t mapped;
    std::byte *begin, *end, *limit;
  };

  Blocks::iterator find(size_t bytes);
  void add_range(size_t at_least);
  void grow(size_t bytes);
  void insert_free(Blocks::node_type node) noexcept;
  void release(std::byte* block) noexcept;

  std::mutex mutex_;
  Blocks free_, used_;  // no two free blocks touch
  std::vector<Range> ranges_;
};

// Uninitialized memory for `count` elements during a kernel.
template <class T>
class Scratch {
 public:
  Scratch(MemoryCache& memory, int64_t count) : block_(memory.allocate(static_cast<size_t>(count) * sizeof(T))) {}
  T* data() const { return static_cast<T*>(block_.get()); }
  T& operator[](int64_t i) const { return data()[i]; }

 private:
  std::shared_ptr<void> block_;
};

}  // namespace roformer
