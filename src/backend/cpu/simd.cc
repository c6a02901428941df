#include "backend/cpu/simd.h"

#include <cpuid.h>

#include <cstdlib>
#include <mutex>
#include <string_view>

#include "base/error.h"
#include "hwy/targets.h"

namespace roformer::simd {

namespace {

struct Level {
  std::string_view name;
  int64_t targets;                // Highway's, this and the lesser ones
  bool bfloat16, vnni, avx_vnni;  // dot products
};

constexpr int64_t kSse4 = HWY_SSE4 | HWY_SSSE3, kAvx2 = HWY_AVX2 | kSse4, kAvx512 = HWY_AVX3 | kAvx2;
constexpr Level kLevels[] = {
    {"sse4", kSse4, false, false, false},
    {"avx2", kAvx2, false, false, false},
    {"avx2-vnni", kAvx2, false, false, true},
    {"avx512", kAvx512, false, false, false},
    {"avx512-vnni", kAvx512 | HWY_AVX3_DL, false, true, false},
    {"native", kAvx512 | HWY_AVX3_DL, true, true, true},
};

bool bfloat16 = true, vnni = true, avx_vnni = true;  // that may be used

// Not by __builtin_cpu_supports: clang 14 does not know the word.
bool cpu_has_avx_vnni() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  return __builtin_cpu_supports("avx2") && __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) != 0 && (eax & 1u << 4) != 0;
}

void limit(std::string_view wanted) {
  for (const Level& level : kLevels) {
    if (level.name != wanted) continue;
    const int64_t best = level.targets & ~(level.targets - 1);  // Highway's better targets are lower bits
    const bool present = (hwy::SupportedTargets() & best) != 0 && (!level.avx_vnni || cpu_has_avx_vnni());
    if (level.name != "native" && !present) {
      throw UsageError("ROFORMER_SIMD={}: this CPU does not have it", wanted);
    }
    constexpr int64_t kAll = kAvx512 | HWY_AVX3_DL;
    if (level.name != "native") hwy::DisableTargets(kAll & ~level.targets);
    bfloat16 = level.bfloat16;
    vnni = level.vnni;
    avx_vnni = level.avx_vnni;
    return;
  }
  throw UsageError("ROFORMER_SIMD={}; expected sse4, avx2, avx2-vnni, avx512, avx512-vnni or native", wanted);
}

}  // namespace

void apply_limit() {
  static std::once_flag once;
  std::call_once(once, [] {
    const char* wanted = std::getenv("ROFORMER_SIMD");
    if (wanted != nullptr && *wanted != '\0') limit(wanted);
  });
}

bool has_bfloat16() {
  static const bool present = __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512bw");
  return present && bfloat16;
}

bool has_vnni() {
  static const bool present = __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bw");
  return present && vnni;
}

bool has_avx_vnni() {
  static const bool present = cpu_has_avx_vnni();
  return present && avx_vnni;
}

}  // namespace roformer::simd
