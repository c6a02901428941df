#include "backend/cpu/simd.h"

#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>
#include <mutex>
#include <string_view>

#include "base/error.h"
#include "hwy/targets.h"

namespace roformer::simd {

namespace {

enum class Use { never, where_fast, always };

struct Level {
  std::string_view name;
  int64_t targets;  // Highway's: this and lesser ones
  // Dot products.
  Use bfloat16;
  bool vnni, avx_vnni, amx;
};

constexpr int64_t kSse4 = HWY_SSE4, kAvx2 = HWY_AVX2 | kSse4, kAvx512 = HWY_AVX3 | kAvx2;
constexpr Level kLevels[] = {
    {"sse4", kSse4, Use::never, false, false, false},
    {"avx2", kAvx2, Use::never, false, false, false},
    {"avx2-vnni", kAvx2, Use::never, false, true, false},
    {"avx512", kAvx512, Use::never, false, false, false},
    {"avx512-vnni", kAvx512 | HWY_AVX3_DL, Use::never, true, false, false},
    {"avx512-bf16", kAvx512 | HWY_AVX3_DL, Use::always, true, false, false},
    {"native", kAvx512 | HWY_AVX3_DL, Use::where_fast, true, true, true},
};

Use bfloat16 = Use::where_fast;
bool vnni = true, avx_vnni = true, amx = true;  // not excluded by ROFORMER_SIMD

// Not by __builtin_cpu_supports: clang 14 lacks the name.
bool cpu_has_avx_vnni() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  return __builtin_cpu_supports("avx2") && __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) != 0 && (eax & 1u << 4) != 0;
}

// Neither does it know AMX. The kernel lets a process use tile data, whose state is large, only after it has asked.
bool cpu_has_amx() {
  constexpr unsigned kTiles = 1u << 24 | 1u << 22 | 1u << 25;  // AMX_TILE, AMX_BF16, AMX_INT8
  constexpr long kRequestPermission = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0 && (edx & kTiles) == kTiles &&
         syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

bool cpu_has_bfloat16() { return __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512bw"); }

void limit(std::string_view wanted) {
  for (const Level& level : kLevels) {
    if (level.name != wanted) continue;
    const int64_t best = level.targets & ~(level.targets - 1);  // Highway's better targets are lower bits
    const bool present = (hwy::SupportedTargets() & best) != 0 && (!level.avx_vnni || cpu_has_avx_vnni()) &&
                         (level.bfloat16 != Use::always || cpu_has_bfloat16());
    if (level.name != "native" && !present) {
      throw UsageError("ROFORMER_SIMD={}: this CPU does not have it", wanted);
    }
    constexpr int64_t kAll = kAvx512 | HWY_AVX3_DL;
    if (level.name != "native") hwy::DisableTargets(kAll & ~level.targets);
    bfloat16 = level.bfloat16;
    vnni = level.vnni;
    avx_vnni = level.avx_vnni;
    amx = level.amx;
    return;
  }
  throw UsageError("ROFORMER_SIMD={}; expected sse4, avx2, avx2-vnni, avx512, avx512-vnni, avx512-bf16 or native",
                   wanted);
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
  static const bool present = cpu_has_bfloat16(), fast = __builtin_cpu_is("amd") != 0;
  return present && (bfloat16 == Use::always || (bfloat16 == Use::where_fast && fast));
}

bool rounds_to_bfloat16() {
  static const bool present = cpu_has_bfloat16();
  return present && bfloat16 != Use::never;
}

bool has_vnni() {
  static const bool present = __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bw");
  return present && vnni;
}

bool has_amx() {
  if (!amx) return false;  // without asking for it
  static const bool present = cpu_has_amx();
  return present;
}

bool has_avx_vnni() {
  static const bool present = cpu_has_avx_vnni();
  return present && avx_vnni;
}

}  // namespace roformer::simd
