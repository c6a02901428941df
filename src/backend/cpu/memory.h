// Keeps freed blocks for the next request of the same size class, so that a training step touches no new pages after
// the first. Classes are eighths of a power of two: at most an eighth of a block is wasted and ragged batches share
// classes.
#pragma once

#include <cstddef>
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

  // 64-byte aligned, uninitialised; returns to the cache when the last owner lets go. Thread-safe.
  std::shared_ptr<void> take(size_t bytes);

 private:
  std::mutex mutex_;
  std::map<size_t, std::vector<void*>> free_;
};

}  // namespace roformer
