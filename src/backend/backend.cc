#include "backend/backend.h"

#include <sys/mman.h>

#include <algorithm>
#include <memory>
#include <new>

#include "backend/layers.h"
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

// Pages of the system are zero, and cost nothing until they are touched; huge ones then cost a fault every 2 MiB
// instead of every 4 KiB. Not calloc: it clears by hand what it was given back before.
std::shared_ptr<void> zero_pages(size_t bytes) {
  void* pages = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) throw std::bad_alloc();
  constexpr size_t kHuge = size_t{1} << 21;
  void* inside = pages;
  size_t room = bytes;
  if (std::align(kHuge, kHuge, inside, room) != nullptr) madvise(inside, room / kHuge * kHuge, MADV_HUGEPAGE);
  return std::shared_ptr<void>(pages, [bytes](void* block) { munmap(block, bytes); });
}

}  // namespace

Precision parse_precision(std::string_view name) {
  if (name == "float32") return Precision::float32;
  if (name == "bfloat16") return Precision::bfloat16;
  if (name == "int8") return Precision::int8;
  throw UsageError("unknown dtype '{}'; expected float32, bfloat16 or int8", name);
}

const char* precision_name(Precision precision) {
  switch (precision) {
    case Precision::float32: return "float32";
    case Precision::bfloat16: return "bfloat16";
    case Precision::int8: return "int8";
  }
  return "";
}

Tensor Backend::zeros(Shape shape) {
  constexpr size_t kLarge = size_t{1} << 18;
  const auto bytes = static_cast<size_t>(shape.elements() * dtype_size(real()));
  if (bytes >= kLarge) return Tensor(zero_pages(bytes), real(), shape);
  const Tensor small = empty(shape);
  fill(small, 0);
  return small;
}

std::unique_ptr<FusedLayers> Backend::fuse(const LayersShape&, std::span<const LayerWeights>) { return nullptr; }

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

std::unique_ptr<Backend> make_backend(std::string_view name, ThreadPool& pool, Precision precision) {
  if (name == "cpu") return make_cpu_backend(pool, precision);
  if (name == "reference") {
    if (precision != Precision::float32) throw UsageError("the reference backend computes in float32 only");
    return make_reference_backend(pool);
  }
  throw UsageError("unknown device '{}'; expected cpu or reference", name);
}

}  // namespace roformer
