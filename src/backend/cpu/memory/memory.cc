#include "backend/cpu/memory/memory.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <new>
#include <utility>

#if defined(__SANITIZE_ADDRESS__)
#define ROFORMER_POISONS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ROFORMER_POISONS 1
#endif
#endif
#ifdef ROFORMER_POISONS
#include <sanitizer/asan_interface.h>
#endif

namespace roformer {

namespace {

constexpr size_t kAlignment = 64, kHugePage = size_t{1} << 21, kStep = size_t{1} << 24;
constexpr size_t kLargest = SIZE_MAX / 4;

size_t round_up(size_t bytes, size_t step) { return (bytes + step - 1) / step * step; }

// Under the address sanitizer free memory is poisoned, with a red zone between any two blocks.
#ifdef ROFORMER_POISONS
constexpr size_t kStrip = kAlignment;
void forbid(void* block, size_t bytes) { ASAN_POISON_MEMORY_REGION(block, bytes); }
void allow(void* block, size_t bytes) { ASAN_UNPOISON_MEMORY_REGION(block, bytes); }
#else
constexpr size_t kStrip = 0;
void forbid(void*, size_t) {}
void allow(void*, size_t) {}
#endif

// The address range to reserve first: reserving is free, so as large as physical memory unless limited.
size_t addresses_wanted() {
  const auto physical = static_cast<size_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<size_t>(sysconf(_SC_PAGESIZE));
  rlimit limit{};
  if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return physical;
  return std::min<size_t>(physical, limit.rlim_cur / 8);
}

}  // namespace

MemoryCache::~MemoryCache() {
  for (const Range& range : ranges_) {
    allow(range.begin, static_cast<size_t>(range.end - range.begin));
    munmap(range.mapping, range.mapped);
  }
}

void MemoryCache::add_range(size_t at_least) {
  ranges_.reserve(ranges_.size() + 1);
  at_least = round_up(at_least, kHugePage) + kHugePage;
  for (size_t wanted = std::max(addresses_wanted(), at_least);; wanted = std::max(wanted / 2, at_least)) {
    void* mapping = mmap(nullptr, wanted, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapping != MAP_FAILED) {
      void* inside = mapping;
      size_t available = wanted;
      std::align(kHugePage, kHugePage, inside, available);
      auto* begin = static_cast<std::byte*>(inside);
      ranges_.push_back({mapping, wanted, begin, begin, begin + available / kHugePage * kHugePage});
      return;
    }
    if (wanted == at_least) throw std::bad_alloc();
  }
}

// Appends a free block of at least `bytes` to the last range, or to a new one.
void MemoryCache::grow(size_t bytes) {
  const auto missing = [&](const Range& range) {  // beyond a free block at the end
    size_t free = 0;
    if (!free_.empty()) {
      const auto& [block, size] = *free_.rbegin();
      if (block + size == range.end) free = size;
    }
    return round_up(bytes - free, kStep);
  };
  const auto fits = [&](const Range& range) { return missing(range) <= static_cast<size_t>(range.limit - range.end); };
  if (ranges_.empty() || !fits(ranges_.back())) add_range(round_up(bytes, kStep));
  Range& range = ranges_.back();
  const size_t more = missing(range);
  Blocks blocks;
  blocks.emplace(range.end, more);
  if (mprotect(range.end, more, PROT_READ | PROT_WRITE) != 0) throw std::bad_alloc();
  madvise(range.end, more, MADV_HUGEPAGE);  // fewer faults; ignored if unsupported
  forbid(range.end, more);
  range.end += more;
  insert_free(blocks.extract(blocks.begin()));
}

MemoryCache::Blocks::iterator MemoryCache::find(size_t bytes) {
  return std::find_if(free_.begin(), free_.end(), [bytes](const auto& block) { return block.second >= bytes; });
}

std::shared_ptr<void> MemoryCache::allocate(size_t bytes) {
  if (bytes > kLargest) throw std::bad_alloc();
  const size_t size = round_up(std::max<size_t>(bytes, 1), kAlignment) + kStrip;
  std::unique_lock lock(mutex_);
  auto found = find(size);
  if (found == free_.end()) {
    grow(size);
    found = find(size);
  }
  std::byte* const block = found->first;
  if (found->second > size) {
    free_.emplace_hint(std::next(found), block + size, found->second - size);
    found->second = size;
  }
  used_.insert(free_.extract(found));
  allow(block, bytes);
  lock.unlock();
  return std::shared_ptr<void>(block,
                               [cache = shared_from_this()](void* p) { cache->release(static_cast<std::byte*>(p)); });
}

void MemoryCache::release(std::byte* block) noexcept {
  std::lock_guard lock(mutex_);
  auto node = used_.extract(block);
  forbid(block, node.mapped());
  insert_free(std::move(node));
}

// Moves a node between maps, so that release does not allocate.
void MemoryCache::insert_free(Blocks::node_type node) noexcept {
  const auto after = free_.lower_bound(node.key());
  if (after != free_.end() && node.key() + node.mapped() == after->first) {
    node.mapped() += after->second;
    free_.erase(after);
  }
  const auto inserted = free_.insert(std::move(node)).position;
  if (inserted == free_.begin()) return;
  const auto before = std::prev(inserted);
  if (before->first + before->second != inserted->first) return;
  before->second += inserted->second;
  free_.erase(inserted);
}

}  // namespace roformer
