#include "backend/cpu/simd.h"

#include <cstdlib>
#include <mutex>
#include <string_view>

#include "base/error.h"
#include "hwy/targets.h"

namespace roformer::simd {

namespace {

struct Level {
  std::string_view name;
  int64_t targets;  // Highway's, this and the lesser ones
  bool dot_products;
};

constexpr int64_t kSse4 = HWY_SSE4 | HWY_SSSE3, kAvx2 = HWY_AVX2 | kSse4, kAvx512 = HWY_AVX3 | kAvx2;
constexpr Level kLevels[] = {
    {"sse4", kSse4, false},
    {"avx2", kAvx2, false},
    {"avx512", kAvx512, false},
    {"native", kAvx512 | HWY_AVX3_DL, true},
};

bool dot_products = true;

void limit(std::string_view wanted) {
  for (const Level& level : kLevels) {
    if (level.name != wanted) continue;
    const int64_t best = level.targets & ~(level.targets - 1);  // Highway's better targets are lower bits
    if (level.name != "native" && (hwy::SupportedTargets() & best) == 0) {
      throw UsageError("ROFORMER_SIMD={}: this CPU does not have it", wanted);
    }
    constexpr int64_t kAll = kAvx512 | HWY_AVX3_DL;
    if (level.name != "native") hwy::DisableTargets(kAll & ~level.targets);
    dot_products = level.dot_products;
    return;
  }
  throw UsageError("ROFORMER_SIMD={}; expected sse4, avx2, avx512 or native", wanted);
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
  return present && dot_products;
}

bool has_vnni() {
  static const bool present = __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bw");
  return present && dot_products;
}

std::string description() {
  const int64_t targets = hwy::SupportedTargets();
  std::string text = "SSE2";
  if ((targets & (HWY_SSE4 | HWY_SSSE3)) != 0) text = "SSE4";
  if ((targets & HWY_AVX2) != 0) text = "AVX2";
  if ((targets & (HWY_AVX3 | HWY_AVX3_DL)) != 0) text = "AVX-512";
  if (has_bfloat16()) text += ", bf16";
  if (has_vnni()) text += ", VNNI";
  return text;
}

}  // namespace roformer::simd
