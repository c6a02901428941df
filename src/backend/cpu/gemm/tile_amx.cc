// The bfloat16 and int8 tile kernels for CPUs with AMX, whose eight tile registers have 16 rows of 64 bytes: four of
// sums (32 rows by 32 columns), two of `a` and two of the panel. An instruction multiplies 16 rows by 16 columns over
// 64 bytes of the depth.
#include <immintrin.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "backend/cpu/gemm/tile.h"
#include "backend/cpu/gemm/tile_native.h"

namespace roformer::tile {

namespace {

#define ROFORMER_AMX __attribute__((target("amx-tile,amx-bf16,amx-int8")))

constexpr int64_t kRows = 16, kBytes = 64;    // of a tile register
constexpr int64_t kGroups = kBytes / 4;       // of the depth, in a register
constexpr int64_t kPanelStride = kPanel * 4;  // bytes between groups of a panel, and between rows of sums

// What LDTILECFG reads (Intel SDM vol. 1, 18.3): the shape of each register.
struct alignas(64) TileShapes {
  uint8_t palette = 1, start = 0, reserved[14] = {};
  uint16_t bytes[16] = {};  // of a row
  uint8_t rows[16] = {};
};

constexpr TileShapes shapes_for(int64_t rows) {
  const int64_t top = std::min(rows, kRows), bottom = rows - top;
  const int64_t of_register[8] = {top, top, bottom, bottom, top, bottom, kRows, kRows};
  TileShapes shapes;
  for (int i = 0; i < 8; ++i) {
    shapes.rows[i] = static_cast<uint8_t>(of_register[i]);
    shapes.bytes[i] = of_register[i] == 0 ? 0 : kBytes;
  }
  return shapes;
}

constexpr auto kShapes = [] {
  std::array<TileShapes, kMaxTileRows + 1> shapes;
  for (int64_t rows = 0; rows <= kMaxTileRows; ++rows) shapes[static_cast<size_t>(rows)] = shapes_for(rows);
  return shapes;
}();

enum class Factor { bfloat16, int8 };

// 64 bytes of the depth, of `a` and of the panel; kBottom: with rows beyond 16.
template <Factor kFactor, bool kBottom>
ROFORMER_AMX inline void multiply_block(const char* a, int64_t a_stride, const char* panel) {
  _tile_loadd(6, panel, kPanelStride);
  _tile_loadd(4, a, a_stride);
  _tile_loadd(7, panel + kBytes, kPanelStride);
  if constexpr (kFactor == Factor::bfloat16) {
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
  } else {
    _tile_dpbusd(0, 4, 6);
    _tile_dpbusd(1, 4, 7);
  }
  if constexpr (kBottom) {
    _tile_loadd(5, a + kRows * a_stride, a_stride);
    if constexpr (kFactor == Factor::bfloat16) {
      _tile_dpbf16ps(2, 5, 6);
      _tile_dpbf16ps(3, 5, 7);
    } else {
      _tile_dpbusd(2, 5, 6);
      _tile_dpbusd(3, 5, 7);
    }
  }
}

// The last groups of the depth, fewer than fill a register: copies that end with zeros.
template <Factor kFactor, bool kBottom>
ROFORMER_AMX void multiply_rest(const char* a, int64_t a_stride, int64_t rows, int64_t groups, const char* panel) {
  alignas(64) char some_rows[kMaxTileRows * kBytes] = {}, some_groups[kGroups * kPanelStride] = {};
  for (int64_t i = 0; i < rows; ++i) {
    std::memcpy(some_rows + i * kBytes, a + i * a_stride, static_cast<size_t>(4 * groups));
  }
  std::memcpy(some_groups, panel, static_cast<size_t>(groups * kPanelStride));
  __asm__ volatile("" ::: "memory");  // the intrinsics do not say that they read memory
  multiply_block<kFactor, kBottom>(some_rows, kBytes, some_groups);
}

template <Factor kFactor, bool kBottom>
ROFORMER_AMX void multiply_rows(const char* a, int64_t a_stride, int64_t rows, int64_t groups, const char* panel,
                                char* out, PrefetchHint hint) {
  _tile_loadconfig(&kShapes[static_cast<size_t>(rows)]);
  _tile_zero(0);
  _tile_zero(1);
  if constexpr (kBottom) {
    _tile_zero(2);
    _tile_zero(3);
  }
  int64_t k = 0;
  for (; k + kGroups <= groups; k += kGroups) {
    const char* const end = hint.from + kGroups * hint.step;
    for (; hint.from < end; hint.from += kBytes) __builtin_prefetch(hint.from, 0, 2);
    hint.from = end;
    multiply_block<kFactor, kBottom>(a + 4 * k, a_stride, panel + k * kPanelStride);
  }
  if (k < groups) multiply_rest<kFactor, kBottom>(a + 4 * k, a_stride, rows, groups - k, panel + k * kPanelStride);
  _tile_stored(0, out, kPanelStride);
  _tile_stored(1, out + kBytes, kPanelStride);
  if constexpr (kBottom) {
    _tile_stored(2, out + kRows * kPanelStride, kPanelStride);
    _tile_stored(3, out + kRows * kPanelStride + kBytes, kPanelStride);
  }
  _tile_release();
}

template <Factor kFactor>
void multiply_all(const void* a, int64_t a_stride, int64_t rows, int64_t groups, const void* panel, void* out,
                  const PrefetchHint& hint) {
  const auto* const left = static_cast<const char*>(a);
  const auto* const right = static_cast<const char*>(panel);
  auto* const sums = static_cast<char*>(out);
  const PrefetchHint next = hint.from == nullptr ? PrefetchHint{right, 0} : hint;
  if (rows > kRows) return multiply_rows<kFactor, true>(left, a_stride, rows, groups, right, sums, next);
  multiply_rows<kFactor, false>(left, a_stride, rows, groups, right, sums, next);
}

}  // namespace

void multiply_amx(const uint16_t* a, int64_t a_stride, int64_t rows, int64_t depth, const uint16_t* panel, float* out,
                  const PrefetchHint& hint) {
  multiply_all<Factor::bfloat16>(a, 2 * a_stride, rows, depth / 2, panel, out, hint);
}

void multiply_amx(const uint8_t* a, int64_t a_stride, int64_t rows, int64_t depth, const int8_t* panel, int32_t* out,
                  const PrefetchHint& hint) {
  multiply_all<Factor::int8>(a, a_stride, rows, depth / 4, panel, out, hint);
}

}  // namespace roformer::tile
