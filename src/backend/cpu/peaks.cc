// Peak rates of this machine: tiles with factors in the L1 cache, and copies larger than the caches.
#include <algorithm>
#include <chrono>
#include <cstring>
#include <vector>

#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/gemm/tile.h"
#include "backend/cpu/rows/rows.h"

namespace roformer {

namespace {

constexpr int kRounds = 3;
constexpr int64_t kRegisterRounds = 10'000'000;

// The best rate of several rounds in which every thread does `work` once; `each` is the amount per thread.
template <class Work>
double best_rate(ThreadPool& pool, double each, const Work& work) {
  using Clock = std::chrono::steady_clock;
  double best = 0;
  for (int round = 0; round < kRounds; ++round) {
    const auto begin = Clock::now();
    pool.run(pool.threads(), work);
    const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    best = std::max(best, each * static_cast<double>(pool.threads()) / seconds);
  }
  return best;
}

template <class A, class B, class Sum>
double product_rate(ThreadPool& pool, Precision precision) {
  constexpr int64_t kDepth = 512 / sizeof(A), kMostRows = 32, kRepeats = 100'000;
  const int64_t rows = std::min<int64_t>(tile::rows_of(precision), kMostRows);
  const auto each = static_cast<double>(2 * rows * tile::kPanel * kDepth * kRepeats);
  return best_rate(pool, each, [=](int64_t) {
    alignas(64) A a[kMostRows * kDepth] = {};
    alignas(64) B panel[tile::kPanel * kDepth] = {};
    alignas(64) Sum sums[kMostRows * tile::kPanel];
    for (int64_t i = 0; i < kRepeats; ++i) tile::multiply(a, kDepth, rows, kDepth, panel, sums);
  });
}

}  // namespace

MachinePeaks CpuBackend::measure_peaks() {
  constexpr size_t kBytes = size_t{1} << 28;
  const size_t share = kBytes / static_cast<size_t>(pool_.threads());
  const std::vector<char> from(kBytes, 1);
  std::vector<char> to(kBytes, 0);
  const auto copy = [&](int64_t i) {
    const size_t begin = static_cast<size_t>(i) * share;
    std::memcpy(to.data() + begin, from.data() + begin, share);
  };
  const auto registers = [](int64_t) {
    [[maybe_unused]] volatile const float sum = tile::multiply_registers(kRegisterRounds);
  };
  const DotProducts cpu = dot_products();
  return {.float32 = product_rate<float, float, float>(pool_, Precision::float32),
          .bfloat16 = cpu.bfloat16 ? product_rate<uint16_t, uint16_t, float>(pool_, Precision::bfloat16) : 0,
          .int8 = cpu.int8 ? product_rate<uint8_t, int8_t, int32_t>(pool_, Precision::int8) : 0,
          .registers = best_rate(pool_, static_cast<double>(kRegisterRounds * tile::register_operations()), registers),
          .bandwidth = best_rate(pool_, 2.0 * static_cast<double>(share), copy)};
}

double CpuBackend::read_rate(const Tensor& x) {
  using Clock = std::chrono::steady_clock;
  constexpr int64_t kFloats = 1 << 18;  // per task: 1 MiB
  const auto begin = Clock::now();
  for_chunks(pool_, x.elements(), kFloats, [&](int64_t first, int64_t end) {
    [[maybe_unused]] volatile const float sum = rows::total(x.data<float>() + first, end - first);
  });
  return static_cast<double>(x.bytes()) / std::chrono::duration<double>(Clock::now() - begin).count();
}

}  // namespace roformer
