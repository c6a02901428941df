#include "backend/backend.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <new>

#include "base/error.h"

namespace roformer {
namespace {

template <class Real>
void fill_angles(ThreadPool& pool, const RotaryFrequencies& frequencies, std::span<const int32_t> positions,
                 const Tensor& cosines, const Tensor& sines) {
  constexpr int64_t kPositionsPerTask = 32;
  for_chunks(pool, static_cast<int64_t>(positions.size()), kPositionsPerTask, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      for (int64_t pair = 0; pair < frequencies.pairs(); ++pair) {
        const auto [cos, sin] = frequencies.angle(positions[i], pair);
        cosines.row<Real>(i)[pair] = static_cast<Real>(cos);
        sines.row<Real>(i)[pair] = static_cast<Real>(sin);
      }
    }
  });
}

// A hint: the first touch of large memory then costs a fault every 2 MiB instead of every 4 KiB.
void advise_huge_pages(void* block, size_t bytes) {
  constexpr uintptr_t kHuge = uintptr_t{1} << 21;
  const auto begin = (reinterpret_cast<uintptr_t>(block) + kHuge - 1) / kHuge * kHuge;
  const auto end = (reinterpret_cast<uintptr_t>(block) + bytes) / kHuge * kHuge;
  if (begin < end) madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);
}

}  // namespace

Tensor Backend::zeros(Shape shape) {
  constexpr size_t kAlignment = 64;
  const auto bytes = static_cast<size_t>(shape.elements() * dtype_size(real()));
  // The system's fresh pages are zero already; calloc knows.
  void* block = std::calloc(bytes + kAlignment, 1);
  if (block == nullptr) throw std::bad_alloc();
  advise_huge_pages(block, bytes);
  const auto address = (reinterpret_cast<uintptr_t>(block) + kAlignment - 1) / kAlignment * kAlignment;
  return Tensor(std::shared_ptr<void>(reinterpret_cast<void*>(address), [block](void*) { std::free(block); }), real(),
                shape);
}

RotaryAngles Backend::rotary_angles(const Rotary& rotary, std::span<const int32_t> positions) {
  std::vector<int32_t> distinct(positions.begin(), positions.end());
  std::sort(distinct.begin(), distinct.end());
  distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());

  const RotaryFrequencies frequencies(rotary);
  if (!distinct.empty()) {
    // Here and not first in some task, so that which position an error names does not depend on threads.
    frequencies.angle(distinct.front(), 0);
    frequencies.angle(distinct.back(), 0);
  }
  const auto count = static_cast<int64_t>(distinct.size());
  RotaryAngles angles{
      rotary.layout, rotary.dim, empty({count, frequencies.pairs()}), empty({count, frequencies.pairs()}), {}};
  if (real() == DType::float64) {
    fill_angles<double>(pool(), frequencies, distinct, angles.cos, angles.sin);
  } else {
    fill_angles<float>(pool(), frequencies, distinct, angles.cos, angles.sin);
  }
  angles.row.reserve(positions.size());
  for (const int32_t position : positions) {
    const auto place = std::lower_bound(distinct.begin(), distinct.end(), position);
    angles.row.push_back(static_cast<int32_t>(place - distinct.begin()));
  }
  return angles;
}

std::unique_ptr<Backend> make_backend(std::string_view name, ThreadPool& pool) {
  if (name == "cpu") return make_cpu_backend(pool);
  if (name == "reference") return make_reference_backend(pool);
  throw UsageError("unknown device '{}'; expected cpu or reference", name);
}

}  // namespace roformer
