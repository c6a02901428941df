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
  std::array<TileShapes, 2 * kRows + 1> shapes;
  for (int64_t rows = 0; rows <= 2 * kRows; ++rows) shapes[static_cast<size_t>(rows)] = shapes_for(rows);
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
  alignas(64) char some_rows[2 * kRows * kBytes] = {}, some_groups[kGroups * kPanelStride] = {};
  for (int64_t i = 0; i < rows; ++i) {
    std::memcpy(some_rows + i * kBytes, a + i * a_stride, static_cast<size_t>(4 * groups));
  }
  std::memcpy(some_groups, panel, static_cast<size_t>(groups * kPanelStride));
  __asm__ volatile("" ::: "memory");  // the intrinsics do not say that they read memory
  multiply_block<kFactor, kBottom>(some_rows, kBytes, some_groups);
}

// Gives the registers the shapes for `rows` rows of a tile. Loading shapes takes as long as three blocks, reading them
// almost no time, so they are kept; they are read because other code of this thread may use the registers in between.
ROFORMER_AMX void shape_registers(int64_t rows) {
  const TileShapes& wanted = kShapes[static_cast<size_t>(rows)];
  TileShapes now;
  _tile_storeconfig(&now);
  if (std::memcmp(&now, &wanted, sizeof now) != 0) _tile_loadconfig(&wanted);
}

// A factor in memory, or sums.
struct Rows {
  const char* data;
  int64_t stride;  // bytes
};

// Tiles of `rows` rows each, one below the other. The depth is divided so that a part of the panel stays in the L1
// cache for all of them.
template <Factor kFactor, bool kBottom>
ROFORMER_AMX void multiply_tiles(Rows a, int64_t tiles, int64_t rows, int64_t groups, const char* panel, char* out,
                                 PrefetchHint hint) {
  constexpr int64_t kPart = 6 * kGroups, kSums = kRows * kPanelStride;
  const int64_t part = tiles > 1 ? kPart : groups, ahead = ceil_div(kGroups * hint.step, tiles);
  shape_registers(rows);
  int64_t begin = 0;
  do {
    const int64_t end = std::min(groups, begin + part);
    for (int64_t t = 0; t < tiles; ++t) {
      const char* const left = a.data + t * rows * a.stride;
      char* const sums = out + t * rows * kPanelStride;
      if (begin == 0) {
        _tile_zero(0);
        _tile_zero(1);
        if constexpr (kBottom) {
          _tile_zero(2);
          _tile_zero(3);
        }
      } else {
        _tile_loadd(0, sums, kPanelStride);
        _tile_loadd(1, sums + kBytes, kPanelStride);
        if constexpr (kBottom) {
          _tile_loadd(2, sums + kSums, kPanelStride);
          _tile_loadd(3, sums + kSums + kBytes, kPanelStride);
        }
      }
      int64_t k = begin;
      for (; k + kGroups <= end; k += kGroups) {
        for (int64_t byte = 0; byte < ahead; byte += kBytes) __builtin_prefetch(hint.from + byte, 0, 2);
        hint.from += ahead;
        multiply_block<kFactor, kBottom>(left + 4 * k, a.stride, panel + k * kPanelStride);
      }
      if (k < end) {
        multiply_rest<kFactor, kBottom>(left + 4 * k, a.stride, rows, end - k, panel + k * kPanelStride);
      }
      _tile_stored(0, sums, kPanelStride);
      _tile_stored(1, sums + kBytes, kPanelStride);
      if constexpr (kBottom) {
        _tile_stored(2, sums + kSums, kPanelStride);
        _tile_stored(3, sums + kSums + kBytes, kPanelStride);
      }
    }
    begin = end;
  } while (begin < groups);
}

template <Factor kFactor>
void multiply_all(const void* a, int64_t a_stride, int64_t rows, int64_t groups, const void* panel, void* out,
                  const PrefetchHint& hint) {
  constexpr int64_t kTwo = 2 * kRows;
  const Rows left{static_cast<const char*>(a), a_stride};
  const auto* const right = static_cast<const char*>(panel);
  auto* const sums = static_cast<char*>(out);
  const int64_t tiles = rows / kTwo, rest = rows % kTwo;
  if (tiles > 0) multiply_tiles<kFactor, true>(left, tiles, kTwo, groups, right, sums, hint);
  if (rest == 0) return;
  const Rows last{left.data + tiles * kTwo * a_stride, a_stride};
  char* const last_sums = sums + tiles * kTwo * kPanelStride;
  const PrefetchHint last_hint = tiles > 0 ? PrefetchHint() : hint;
  if (rest > kRows) return multiply_tiles<kFactor, true>(last, 1, rest, groups, right, last_sums, last_hint);
  multiply_tiles<kFactor, false>(last, 1, rest, groups, right, last_sums, last_hint);
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
