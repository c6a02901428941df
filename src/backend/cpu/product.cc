#include "backend/cpu/product.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "backend/cpu/rows.h"
#include "base/error.h"

namespace roformer {

namespace {

using tile::kPanel, tile::kTileRows;

constexpr int64_t kBlockRows = 96;     // a block of rows and a panel fit into the second cache
constexpr int64_t kDepthChunk = 1024;  // of sums that add to their output
constexpr int64_t kGroupPanels = 8;    // packed at a time where packing is not shared
constexpr int64_t kTasks = 16;         // enough to keep many cores busy
constexpr int64_t kLargestInt8Depth = 65536;

int64_t group(Precision precision) {
  return precision == Precision::int8 ? 4 : precision == Precision::bfloat16 ? 2 : 1;
}
int64_t factor_bytes(Precision precision) { return 4 / group(precision); }

int64_t whole_groups(Precision precision, int64_t depth) {
  return (depth + group(precision) - 1) / group(precision) * group(precision);
}

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Rows 4 KiB apart fall on the same places of the nearest cache: a tile's twelve do not fit there.
bool collides(int64_t stride) { return stride * static_cast<int64_t>(sizeof(float)) % 4096 == 0; }

template <class T>
T* grown(Tensor& memory, int64_t count) {
  const int64_t floats = ceil_div(count * static_cast<int64_t>(sizeof(T)), 4);
  if (!memory.defined() || memory.elements() < floats) memory = Tensor::allocate({floats}, DType::float32);
  return static_cast<T*>(memory.raw());
}

// `count` of at most kMost numbers. All of them, the usual case, is a few moves instead of a call.
template <int64_t kMost>
void copy_up_to(const float* from, int64_t count, float* to) {
  if (count == kMost) {
    std::memcpy(to, from, kMost * sizeof(float));
  } else {
    std::copy_n(from, count, to);
  }
}

// Rows of 32-bit groups become columns of a panel.
void transpose_groups(const void* rows, int64_t stride, int64_t columns, int64_t groups, void* panel) {
  rows::transpose(static_cast<const float*>(rows), stride, columns, groups, static_cast<float*>(panel), kPanel);
}

// Where the column of a transposed b is a row in memory: converted there first, then transposed.
void pack_from_rows(Precision precision, const float* b, int64_t stride, int64_t depth, int64_t columns, void* panel,
                    float* scale, int32_t* sum) {
  if (precision == Precision::float32) return transpose_groups(b, stride, columns, depth, panel);
  const int64_t whole = whole_groups(precision, depth), groups = whole / group(precision);
  thread_local Tensor memory;
  auto* const bytes = grown<char>(memory, columns * groups * 4);
  for (int64_t c = 0; c < columns; ++c) {
    char* const row = bytes + c * groups * 4;
    std::memset(row + (groups - 1) * 4, 0, 4);
    if (precision == Precision::bfloat16) {
      tile::to_bfloat16(b + c * stride, reinterpret_cast<uint16_t*>(row), depth);
    } else {
      scale[c] = tile::quantise_weights(b + c * stride, reinterpret_cast<int8_t*>(row), depth, sum[c]);
    }
  }
  transpose_groups(bytes, groups, columns, groups, panel);
}

void pack_from_columns(Precision precision, const float* b, int64_t stride, int64_t depth, int64_t columns,
                       void* panel) {
  for (int64_t k = 0; k < depth; k += group(precision)) {
    if (precision == Precision::float32) {
      copy_up_to<kPanel>(b + k * stride, columns, static_cast<float*>(panel) + k * kPanel);
    } else {
      const float* second = k + 1 < depth ? b + (k + 1) * stride : nullptr;
      tile::pair_bfloat16(b + k * stride, second, static_cast<uint16_t*>(panel) + k * kPanel, columns);
    }
  }
}

// The part of b below row k0 and from `column` on, as one panel.
void pack_panel(Precision precision, const Matrix& b, int64_t k0, int64_t depth, int64_t column, int64_t columns,
                void* panel, float* scale = nullptr, int32_t* sum = nullptr) {
  if (columns < kPanel) {
    std::memset(panel, 0, static_cast<size_t>(whole_groups(precision, depth) * kPanel * factor_bytes(precision)));
  }
  if (b.transposed) {
    pack_from_rows(precision, b.data + column * b.stride + k0, b.stride, depth, columns, panel, scale, sum);
  } else {
    pack_from_columns(precision, b.data + k0 * b.stride + column, b.stride, depth, columns, panel);
  }
}

// Whole tiles by depth: of twelve columns of `a` each (a transposed first factor).
void fill_by_depth(Precision precision, const float* a, int64_t stride, int64_t rows, int64_t depth, void* out) {
  const int64_t whole = whole_groups(precision, depth);
  thread_local Tensor memory;
  for (int64_t k = 0; k < depth; k += group(precision)) {
    const float* source = a + k * stride;
    if (precision == Precision::bfloat16) {
      auto* const pairs = grown<uint16_t>(memory, 2 * rows);
      tile::pair_bfloat16(source, k + 1 < depth ? source + stride : nullptr, pairs, rows);
      source = reinterpret_cast<const float*>(pairs);  // of 32 bits, too
    }
    float* to = static_cast<float*>(out) + k / group(precision) * kTileRows;
    for (int64_t r = 0; r < rows; r += kTileRows) {
      copy_up_to<kTileRows>(source + r, std::min(kTileRows, rows - r), to);
      to += whole / group(precision) * kTileRows;
    }
  }
}

const char* at(const LeftRows& a, int64_t row, int64_t depth) {
  const int64_t elements = row * (a.stride == 0 ? whole_groups(a.precision, depth) : a.stride);
  return static_cast<const char*>(a.data) + elements * factor_bytes(a.precision);
}

// Sums of one tile, in float32.
void multiply_tile(const LeftRows& a, int64_t row, int64_t rows, int64_t depth, const void* panel,
                   const tile::Scales& scales, float* out, const tile::Ahead& ahead) {
  const void* left = at(a, row, depth);
  const int64_t whole = whole_groups(a.precision, depth);
  switch (a.precision) {
    case Precision::float32:
      return tile::multiply(static_cast<const float*>(left), a.stride, rows, whole, static_cast<const float*>(panel),
                            out, ahead);
    case Precision::bfloat16:
      return tile::multiply(static_cast<const uint16_t*>(left), a.stride, rows, whole,
                            static_cast<const uint16_t*>(panel), out, ahead);
    case Precision::int8: {
      alignas(64) int32_t sums[kTileRows * kPanel];
      tile::multiply(static_cast<const uint8_t*>(left), a.stride, rows, whole, static_cast<const int8_t*>(panel), sums,
                     ahead);
      return tile::dequantise(sums, rows, {a.scales + row, scales.column_scale, scales.column_sum}, out);
    }
  }
}

// The panel of columns `column` … of the result. Meanwhile each tile asks for its share of the next panel (null: none),
// so that the memory is as busy as the multipliers, also with few rows.
void multiply_panel(const LeftRows& a, int64_t rows, int64_t depth, const void* panel, const void* next,
                    const tile::Scales& scales, const tile::Finish& finish, int64_t row, int64_t column,
                    int64_t columns) {
  alignas(64) float sums[kTileRows * kPanel];
  const int64_t groups = whole_groups(a.precision, depth) / group(a.precision);
  for (int64_t r = 0; r < rows; r += kTileRows) {
    const int64_t count = std::min(kTileRows, rows - r);
    tile::Ahead ahead;
    if (next != nullptr) {
      ahead = {static_cast<const char*>(next) + groups * (tile::kGroupBytes * r / rows),
               tile::kGroupBytes * count / rows};
    }
    multiply_tile(a, r, count, depth, panel, scales, sums, ahead);
    tile::finish(finish, sums, row + r, count, column, columns);
  }
}

// The part of a below row `row` and right of column `k`, however it is stored.
Matrix part(const Matrix& a, int64_t row, int64_t k) {
  return {a.data + (a.transposed ? k * a.stride + row : row * a.stride + k), a.stride, a.transposed};
}

// body(k0, depth, finish) for chunks of the depth if the sums add to their output, else for all of it.
template <class Body>
void for_depths(int64_t k, const tile::Finish& finish, bool chunked, Body&& body) {
  const int64_t chunk = chunked ? kDepthChunk : std::max<int64_t>(k, 1);
  tile::Finish part_finish = finish;
  for (int64_t k0 = 0; k0 < std::max<int64_t>(k, 1); k0 += chunk) {
    body(k0, std::min(chunk, k - k0), part_finish);
    part_finish.accumulate = true;
  }
}

// Panels first … last − 1, packed here.
void multiply_group(Precision precision, int64_t m, int64_t n, int64_t k, const Matrix& a, const Matrix& b,
                    int64_t first, int64_t last, const tile::Finish& finish, bool chunked) {
  thread_local Tensor memory;
  thread_local LeftRoom room;
  for_depths(k, finish, chunked, [&](int64_t k0, int64_t depth, const tile::Finish& f) {
    const int64_t panel_bytes = whole_groups(precision, depth) * kPanel * factor_bytes(precision);
    char* const panels = grown<char>(memory, (last - first) * panel_bytes + 1);
    for (int64_t p = first; p < last; ++p) {
      pack_panel(precision, b, k0, depth, p * kPanel, std::min(kPanel, n - p * kPanel),
                 panels + (p - first) * panel_bytes);
    }
    for (int64_t r = 0; r < m; r += kBlockRows) {
      const int64_t rows = std::min(kBlockRows, m - r);
      const LeftRows left = room.of(precision, part(a, r, k0), rows, depth);
      for (int64_t p = first; p < last; ++p) {
        const char* const panel = panels + (p - first) * panel_bytes;
        multiply_panel(left, rows, depth, panel, p + 1 < last ? panel + panel_bytes : nullptr, {}, f, r, p * kPanel,
                       std::min(kPanel, n - p * kPanel));
      }
    }
  });
}

// All rows of a transposed first factor, by depth.
class LeftColumns {
 public:
  LeftColumns(Backend& backend, Precision precision, const Matrix& a, int64_t m, int64_t depth)
      : precision_(precision), groups_(whole_groups(precision, depth) / group(precision)) {
    memory_ = backend.empty({ceil_div(m, kTileRows) * kTileRows * groups_});
    for_chunks(backend.pool(), m, kBlockRows, [&](int64_t begin, int64_t end) {
      fill_by_depth(precision, a.data + begin, a.stride, end - begin, depth, at(begin));
    });
  }

  LeftRows rows(int64_t row) const { return {precision_, at(row), 0, nullptr}; }

 private:
  float* at(int64_t row) const { return memory_.data<float>() + row * groups_; }

  Precision precision_;
  int64_t groups_;
  Tensor memory_;
};

// Row blocks, each by all panels or by a share of them; b, and a if it is transposed, packed once for all. Gradients of
// weights, whose depth is the tokens, come here a chunk of the depth after another, so that what is packed stays in the
// last cache.
void multiply_shared(Backend& backend, Precision precision, int64_t m, int64_t n, int64_t k, const Matrix& a,
                     const Matrix& b, const tile::Finish& finish) {
  for_depths(k, finish, a.transposed, [&](int64_t k0, int64_t depth, const tile::Finish& f) {
    const PackedMatrix packed(backend.pool(), backend.empty({PackedMatrix::floats(precision, depth, n)}), precision,
                              part(b, k0, 0), depth, n);
    std::optional<LeftColumns> columns;
    if (a.transposed) columns.emplace(backend, precision, part(a, 0, k0), m, depth);
    const int64_t blocks = ceil_div(m, kBlockRows), panels = packed.panels();
    const int64_t shares = std::clamp<int64_t>(ceil_div(kTasks, blocks), 1, panels);
    backend.pool().run(blocks * shares, [&](int64_t task) {
      thread_local LeftRoom room;
      const int64_t r = task / shares * kBlockRows, rows = std::min(kBlockRows, m - r), share = task % shares;
      const LeftRows left = columns ? columns->rows(r) : room.of(precision, part(a, r, k0), rows, depth);
      multiply_panels(left, rows, packed, panels * share / shares, panels * (share + 1) / shares, f, r);
    });
  });
}

}  // namespace

int64_t PackedMatrix::floats(Precision precision, int64_t depth, int64_t columns) {
  const int64_t panels = ceil_div(columns, kPanel);
  return std::max<int64_t>(1, panels * kPanel * whole_groups(precision, depth) / group(precision));
}

PackedMatrix::PackedMatrix(ThreadPool& pool, Tensor memory, Precision precision, const Matrix& b, int64_t depth,
                           int64_t columns)
    : precision_(precision), depth_(depth), columns_(columns), panels_(std::move(memory)) {
  if (precision == Precision::int8) {
    if (depth > kLargestInt8Depth) throw DataError("int8 products of {} numbers, at most {}", depth, kLargestInt8Depth);
    column_scale_.resize(static_cast<size_t>(panels() * kPanel));
    column_sum_.resize(static_cast<size_t>(panels() * kPanel));
  }
  pool.run(panels(), [&](int64_t p) {
    const int64_t column = p * kPanel;
    const bool scaled = precision == Precision::int8;
    pack_panel(precision, b, 0, depth, column, std::min(kPanel, columns - column), const_cast<void*>(panel(p)),
               scaled ? column_scale_.data() + column : nullptr, scaled ? column_sum_.data() + column : nullptr);
  });
}

const void* PackedMatrix::panel(int64_t i) const {
  const int64_t elements = i * whole_groups(precision_, depth_) * kPanel;
  return static_cast<const char*>(panels_.raw()) + elements * factor_bytes(precision_);
}

tile::Scales PackedMatrix::scales(int64_t panel) const {
  if (precision_ != Precision::int8) return {};
  return {nullptr, column_scale_.data() + panel * kPanel, column_sum_.data() + panel * kPanel};
}

LeftRows LeftRoom::of(Precision precision, const Matrix& a, int64_t rows, int64_t depth) {
  if (a.transposed) {
    const int64_t tiles = ceil_div(rows, kTileRows);
    void* const out = grown<float>(memory_, tiles * kTileRows * whole_groups(precision, depth) / group(precision) + 1);
    fill_by_depth(precision, a.data, a.stride, rows, depth, out);
    return {precision, out, 0, nullptr};
  }
  if (precision == Precision::float32 && !collides(a.stride)) return {precision, a.data, a.stride, nullptr};
  reserve(precision, rows, depth);
  fill(a.data, a.stride, 0, rows);
  return rows_;
}

LeftRows LeftRoom::reserve(Precision precision, int64_t rows, int64_t depth) {
  constexpr int64_t kLine = 64;  // bytes
  depth_ = depth;
  const int64_t stride = ceil_div(depth * factor_bytes(precision), kLine) * kLine + kLine;
  const void* data = grown<char>(memory_, rows * stride + 1);
  if (precision == Precision::int8) scales_.resize(static_cast<size_t>(rows));
  rows_ = {precision, data, stride / factor_bytes(precision), scales_.data()};
  // What rounds a row up to whole groups counts as numbers, too.
  const int64_t used = depth * factor_bytes(precision),
                whole = whole_groups(precision, depth) * factor_bytes(precision);
  for (int64_t r = 0; used < whole && r < rows; ++r) {
    std::memset(static_cast<char*>(memory_.raw()) + r * stride + used, 0, static_cast<size_t>(whole - used));
  }
  return rows_;
}

void LeftRoom::fill(const float* a, int64_t stride, int64_t first, int64_t rows) {
  const Precision precision = rows_.precision;
  for (int64_t r = first; r < first + rows; ++r) {
    const float* from = a + (r - first) * stride;
    void* const to = static_cast<char*>(memory_.raw()) + r * rows_.stride * factor_bytes(precision);
    switch (precision) {
      case Precision::float32: std::copy_n(from, depth_, static_cast<float*>(to)); break;
      case Precision::bfloat16: tile::to_bfloat16(from, static_cast<uint16_t*>(to), depth_); break;
      case Precision::int8:
        scales_[static_cast<size_t>(r)] = tile::quantise(from, static_cast<uint8_t*>(to), depth_);
        break;
    }
  }
}

void multiply_panels(const LeftRows& a, int64_t rows, const PackedMatrix& b, int64_t first, int64_t last,
                     const tile::Finish& finish, int64_t row) {
  for (int64_t p = first; p < last; ++p) {
    // Beyond `last`, too: that is most often this thread's next task.
    multiply_panel(a, rows, b.depth(), b.panel(p), p + 1 < b.panels() ? b.panel(p + 1) : nullptr, b.scales(p), finish,
                   row, p * kPanel, std::min(kPanel, b.columns() - p * kPanel));
  }
}

void multiply(Backend& backend, Precision precision, int64_t m, int64_t n, int64_t k, const Matrix& a, const Matrix& b,
              const tile::Finish& finish) {
  constexpr int64_t kManyRows = 192;     // packing then costs little beside the products
  constexpr int64_t kLargest = 1 << 25;  // a vocabulary's copy would take too much memory
  if (m == 0 || n == 0) return;
  if (precision == Precision::int8) precision = Precision::float32;
  if (m >= kManyRows && n * k <= kLargest) return multiply_shared(backend, precision, m, n, k, a, b, finish);
  const int64_t panels = ceil_div(n, kPanel), width = std::clamp<int64_t>(panels / kTasks, 1, kGroupPanels);
  backend.pool().run(ceil_div(panels, width), [&](int64_t task) {
    multiply_group(precision, m, n, k, a, b, task * width, std::min(panels, (task + 1) * width), finish,
                   finish.accumulate);
  });
}

void multiply_in_task(Precision precision, int64_t m, int64_t n, int64_t k, const Matrix& a, const Matrix& b,
                      bool accumulate, float* c, int64_t c_stride) {
  if (precision == Precision::int8) precision = Precision::float32;
  const tile::Finish finish{.accumulate = accumulate, .out = c, .out_stride = c_stride};
  const int64_t panels = ceil_div(n, kPanel);
  for (int64_t first = 0; first < panels && m > 0; first += kGroupPanels) {
    multiply_group(precision, m, n, k, a, b, first, std::min(panels, first + kGroupPanels), finish, true);
  }
}

}  // namespace roformer
