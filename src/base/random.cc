#include "base/random.h"

#include <cmath>
#include <numbers>

namespace roformer {

std::array<uint32_t, 4> philox4x32(RandomStream stream, uint64_t block) {
  // Multipliers and Weyl constants of Philox4x32 (Salmon et al. 2011, table 2).
  constexpr uint64_t kMultiplier0 = 0xD2511F53, kMultiplier1 = 0xCD9E8D57;
  constexpr uint32_t kWeyl0 = 0x9E3779B9, kWeyl1 = 0xBB67AE85;
  uint32_t c0 = static_cast<uint32_t>(block), c1 = static_cast<uint32_t>(block >> 32);
  uint32_t c2 = static_cast<uint32_t>(stream.stream), c3 = static_cast<uint32_t>(stream.stream >> 32);
  uint32_t k0 = static_cast<uint32_t>(stream.seed), k1 = static_cast<uint32_t>(stream.seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = kMultiplier0 * c0, p1 = kMultiplier1 * c2;
    const uint32_t n0 = static_cast<uint32_t>(p1 >> 32) ^ c1 ^ k0, n2 = static_cast<uint32_t>(p0 >> 32) ^ c3 ^ k1;
    c1 = static_cast<uint32_t>(p1);
    c3 = static_cast<uint32_t>(p0);
    c0 = n0;
    c2 = n2;
    k0 += kWeyl0;
    k1 += kWeyl1;
  }
  return {c0, c1, c2, c3};
}

RandomStream substream(RandomStream parent, uint64_t index) {
  const auto a = philox4x32({parent.seed ^ 0x5DEECE66D2B6A1F3ull, parent.stream}, index);
  return {parent.seed, (uint64_t{a[0]} << 32) | a[1]};
}

uint32_t Generator::next() {
  if (used_ == 4) {
    words_ = philox4x32(stream_, block_++);
    used_ = 0;
  }
  return words_[used_++];
}

double Generator::uniform() {
  const uint64_t high = next() >> 5, low = next() >> 6;
  return static_cast<double>(high * 67108864 + low) * 0x1p-53;
}

uint64_t Generator::below(uint64_t count) {
  const uint64_t limit = UINT64_MAX - UINT64_MAX % count;
  for (;;) {
    const uint64_t high = next(), value = (high << 32) | next();
    if (value < limit) return value % count;
  }
}

double Generator::normal() {
  // Box-Muller; 1 - uniform() is in (0, 1], so the logarithm is finite.
  const double radius = std::sqrt(-2 * std::log(1 - uniform()));
  return radius * std::cos(2 * std::numbers::pi * uniform());
}

}  // namespace roformer
