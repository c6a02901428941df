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

PanelType panel_type(Precision precision, DType of_rows = DType::float32) {
  switch (precision) {
    case Precision::bfloat16: return PanelType::bfloat16;
    case Precision::int8: return PanelType::int8;
    case Precision::float32: break;
  }
  if (of_rows == DType::bfloat16) return PanelType::bfloat16;
  return of_rows == DType::float16 ? PanelType::float16 : PanelType::float32;
}

// Numbers in four bytes.
int64_t group(PanelType type) {
  switch (type) {
    case PanelType::float32: return 1;
    case PanelType::bfloat16:
    case PanelType::float16: return 2;
    case PanelType::int8: return 4;
  }
  return 1;
}
int64_t group(Precision precision) { return group(panel_type(precision)); }
int64_t factor_bytes(Precision precision) { return 4 / group(precision); }

template <class Type>
int64_t whole_groups(Type type, int64_t depth) {
  return (depth + group(type) - 1) / group(type) * group(type);
}

// Of a row that does not collide with its neighbours.
int64_t padded_bytes(Precision precision, int64_t depth) {
  constexpr int64_t kLine = 64;
  return ceil_div(depth * factor_bytes(precision), kLine) * kLine + kLine;
}

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

// `count` numbers of row `row` of a stored matrix from element `first` on; converted into `room` where need be.
const float* float_row(const Matrix& b, int64_t row, int64_t first, int64_t count, float* room) {
  const int64_t at = row * b.stride + first;
  const float* from = room;
  switch (b.dtype) {
    case DType::bfloat16: tile::widen(static_cast<const BFloat16*>(b.data) + at, room, count); break;
    case DType::float16: tile::widen(static_cast<const Float16*>(b.data) + at, room, count); break;
    default: from = static_cast<const float*>(b.data) + at;
  }
  if (!b.rounded) return from;
  tile::round_to_bfloat16(from, room, count);
  return room;
}

// A row of a panel's type, filled up with zeros to `groups` words of 32 bits.
struct RowPacker {
  PanelType type;
  const Matrix& b;
  int64_t first, depth, groups;
  float* room;  // [depth]

  void operator()(int64_t row, char* out, float* scale, int32_t* sum) const {
    std::memset(out + (groups - 1) * 4, 0, 4);
    const int64_t at = row * b.stride + first;
    switch (type) {
      case PanelType::float32: {
        auto* const floats = reinterpret_cast<float*>(out);
        const float* const from = float_row(b, row, first, depth, floats);
        if (from != floats) std::copy_n(from, depth, floats);
        return;
      }
      case PanelType::float16: {
        std::memcpy(out, static_cast<const Float16*>(b.data) + at, static_cast<size_t>(2 * depth));
        return;
      }
      case PanelType::bfloat16: {
        auto* const halves = reinterpret_cast<uint16_t*>(out);
        if (b.dtype == DType::bfloat16) {
          std::memcpy(halves, static_cast<const BFloat16*>(b.data) + at, static_cast<size_t>(2 * depth));
        } else {
          tile::to_bfloat16(float_row(b, row, first, depth, room), halves, depth);
        }
        return;
      }
      case PanelType::int8: {
        *scale =
            tile::quantise_weights(float_row(b, row, first, depth, room), reinterpret_cast<int8_t*>(out), depth, *sum);
        return;
      }
    }
  }
};

// Where the column of a transposed b is a row in memory: converted there first, then transposed.
void pack_from_rows(PanelType type, const Matrix& b, int64_t k0, int64_t depth, int64_t column, int64_t columns,
                    void* panel, float* scale, int32_t* sum) {
  if (type == PanelType::float32 && b.dtype == DType::float32 && !b.rounded) {
    return transpose_groups(static_cast<const float*>(b.data) + column * b.stride + k0, b.stride, columns, depth,
                            panel);
  }
  const int64_t groups = whole_groups(type, depth) / group(type);
  thread_local Tensor memory, room;
  auto* const bytes = grown<char>(memory, columns * groups * 4);
  const RowPacker pack{type, b, k0, depth, groups, grown<float>(room, depth)};
  for (int64_t c = 0; c < columns; ++c) {
    pack(column + c, bytes + c * groups * 4, scale == nullptr ? nullptr : scale + c,
         sum == nullptr ? nullptr : sum + c);
  }
  transpose_groups(bytes, groups, columns, groups, panel);
}

void pack_from_columns(PanelType type, const Matrix& b, int64_t k0, int64_t depth, int64_t column, int64_t columns,
                       void* panel) {
  const float* row = static_cast<const float*>(b.data) + k0 * b.stride + column;
  for (int64_t k = 0; k < depth; k += group(type), row += group(type) * b.stride) {
    if (type == PanelType::bfloat16) {
      tile::pair_bfloat16(row, k + 1 < depth ? row + b.stride : nullptr, static_cast<uint16_t*>(panel) + k * kPanel,
                          columns);
    } else if (b.rounded) {
      tile::round_to_bfloat16(row, static_cast<float*>(panel) + k * kPanel, columns);
    } else {
      copy_up_to<kPanel>(row, columns, static_cast<float*>(panel) + k * kPanel);
    }
  }
}

// The part of b below row k0 and from `column` on, as one panel.
void pack_panel(PanelType type, const Matrix& b, int64_t k0, int64_t depth, int64_t column, int64_t columns,
                void* panel, float* scale = nullptr, int32_t* sum = nullptr) {
  if (columns < kPanel) {
    std::memset(panel, 0, static_cast<size_t>(whole_groups(type, depth) * kPanel * 4 / group(type)));
  }
  if (b.transposed) {
    pack_from_rows(type, b, k0, depth, column, columns, panel, scale, sum);
  } else {
    pack_from_columns(type, b, k0, depth, column, columns, panel);
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
      tile::multiply(static_cast<const float*>(left), a.stride, rows, whole, static_cast<const float*>(panel), out,
                     ahead);
      if (scales.column_scale != nullptr) tile::scale_columns(scales.column_scale, rows, out);  // of a widened panel
      return;
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

// A panel, and what is asked for meanwhile: each tile asks for its share of `next` (null: nothing), so that the memory
// is as busy as the multipliers, also with few rows.
struct Panel {
  const void* data;
  tile::Scales scales = {};
  const void* next = nullptr;
  int64_t next_bytes = 0;
};

// The panel of columns `column` … of the result.
void multiply_panel(const LeftRows& a, int64_t rows, int64_t depth, const Panel& panel, const tile::Finish& finish,
                    int64_t row, int64_t column, int64_t columns) {
  alignas(64) float sums[kTileRows * kPanel];
  const int64_t groups = std::max<int64_t>(1, whole_groups(a.precision, depth) / group(a.precision));
  const int64_t step = std::min(panel.next_bytes / groups, tile::kGroupBytes);
  for (int64_t r = 0; r < rows; r += kTileRows) {
    const int64_t count = std::min(kTileRows, rows - r);
    tile::Ahead ahead;
    if (panel.next != nullptr) {
      ahead = {static_cast<const char*>(panel.next) + groups * (step * r / rows), step * count / rows};
    }
    multiply_tile(a, r, count, depth, panel.data, panel.scales, sums, ahead);
    tile::finish(finish, sums, row + r, count, column, columns);
  }
}

// The part of a below row `row` and right of column `k`, however it is stored.
Matrix part(const Matrix& a, int64_t row, int64_t k) {
  Matrix result = a;
  const int64_t elements = a.transposed ? k * a.stride + row : row * a.stride + k;
  result.data = static_cast<const char*>(a.data) + elements * dtype_size(a.dtype);
  return result;
}

const float* floats_of(const Matrix& a) { return static_cast<const float*>(a.data); }

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

// A product, and its first factor as rows of its precision where that is made beforehand.
struct Product {
  Precision precision;
  int64_t m, n, k;
  const Matrix &a, &b;
  const tile::Finish& finish;
  bool chunked = false;
  const LeftRows* left = nullptr;
};

// Panels first … last − 1, packed here.
void multiply_group(const Product& p, int64_t first, int64_t last) {
  thread_local Tensor memory;
  thread_local LeftRoom room;
  const PanelType type = panel_type(p.precision);
  for_depths(p.k, p.finish, p.chunked, [&](int64_t k0, int64_t depth, const tile::Finish& f) {
    const int64_t panel_bytes = whole_groups(type, depth) * kPanel * factor_bytes(p.precision);
    char* const panels = grown<char>(memory, (last - first) * panel_bytes + 1);
    for (int64_t i = first; i < last; ++i) {
      pack_panel(type, p.b, k0, depth, i * kPanel, std::min(kPanel, p.n - i * kPanel),
                 panels + (i - first) * panel_bytes);
    }
    for (int64_t r = 0; r < p.m; r += kBlockRows) {
      const int64_t rows = std::min(kBlockRows, p.m - r);
      const LeftRows left = p.left != nullptr ? p.left->from(r) : room.of(p.precision, part(p.a, r, k0), rows, depth);
      for (int64_t i = first; i < last; ++i) {
        const char* const panel = panels + (i - first) * panel_bytes;
        multiply_panel(left, rows, depth, {panel, {}, i + 1 < last ? panel + panel_bytes : nullptr, panel_bytes}, f, r,
                       i * kPanel, std::min(kPanel, p.n - i * kPanel));
      }
    }
  });
}

// The rows of `a` as factors of a type, made by all threads: in place where they are that already.
LeftRows make_left(Backend& backend, LeftRoom& room, Precision precision, const Matrix& a, int64_t m, int64_t depth) {
  if (precision == Precision::float32 && !collides(a.stride)) return room.of(precision, a, m, depth);
  const LeftRows left = room.reserve(precision, m, depth);
  for_chunks(backend.pool(), m, 16, [&](int64_t begin, int64_t end) {
    room.fill(floats_of(a) + begin * a.stride, a.stride, begin, end - begin);
  });
  return left;
}

// All rows of a transposed first factor, by depth.
class LeftColumns {
 public:
  LeftColumns(Backend& backend, Precision precision, const Matrix& a, int64_t m, int64_t depth)
      : precision_(precision), groups_(whole_groups(precision, depth) / group(precision)) {
    memory_ = backend.empty({ceil_div(m, kTileRows) * kTileRows * groups_});
    for_chunks(backend.pool(), m, kBlockRows, [&](int64_t begin, int64_t end) {
      fill_by_depth(precision, floats_of(a) + begin, a.stride, end - begin, depth, at(begin));
    });
  }

  LeftRows rows(int64_t row) const { return {precision_, at(row), 0, nullptr}; }

 private:
  float* at(int64_t row) const { return memory_.data<float>() + row * groups_; }

  Precision precision_;
  int64_t groups_;
  Tensor memory_;
};

// Blocks of rows, each by all panels or by a share of them; b, and a if it is transposed, packed once for all.
// Gradients of weights, whose depth is the tokens, come here a chunk of the depth after another, so that what is packed
// stays in the last cache.
void multiply_shared(Backend& backend, const Product& p) {
  for_depths(p.k, p.finish, p.a.transposed, [&](int64_t k0, int64_t depth, const tile::Finish& f) {
    const PackedMatrix packed(backend.pool(), backend.empty({PackedMatrix::floats(p.precision, depth, p.n)}),
                              p.precision, part(p.b, k0, 0), depth, p.n);
    std::optional<LeftColumns> columns;
    if (p.a.transposed) columns.emplace(backend, p.precision, part(p.a, 0, k0), p.m, depth);
    const int64_t blocks = ceil_div(p.m, kBlockRows), panels = packed.panels();
    const int64_t shares = std::clamp<int64_t>(ceil_div(kTasks, blocks), 1, panels);
    backend.pool().run(blocks * shares, [&](int64_t task) {
      thread_local LeftRoom room;
      const int64_t r = task / shares * kBlockRows, rows = std::min(kBlockRows, p.m - r), share = task % shares;
      const LeftRows left = columns ? columns->rows(r) : room.of(p.precision, part(p.a, r, k0), rows, depth);
      multiply_panels(left, rows, packed, panels * share / shares, panels * (share + 1) / shares, f, r);
    });
  });
}

// Whether all numbers of a type with so many bits of exponent below the sign, all ones where not finite, are.
template <class Word, Word kExponent>
bool all_finite(const void* data, int64_t count) {
  const Word* const words = static_cast<const Word*>(data);
  return std::none_of(words, words + count, [](Word x) { return (x & kExponent) == kExponent; });
}

}  // namespace

int64_t PackedMatrix::floats(Precision precision, int64_t depth, int64_t columns, DType of_rows) {
  const PanelType type = panel_type(precision, of_rows);
  return std::max<int64_t>(1, ceil_div(columns, kPanel) * kPanel * whole_groups(type, depth) / group(type));
}

PackedMatrix::PackedMatrix(ThreadPool& pool, Tensor memory, Precision precision, const Matrix& b, int64_t depth,
                           int64_t columns)
    : type_(panel_type(precision, b.rounded && b.dtype == DType::float16 ? DType::float32 : b.dtype)),
      depth_(depth),
      columns_(columns),
      panels_(std::move(memory)) {
  const bool scaled = type_ == PanelType::int8;
  if (scaled) {
    if (depth > kLargestInt8Depth) throw DataError("int8 products of {} numbers, at most {}", depth, kLargestInt8Depth);
    column_scale_.resize(static_cast<size_t>(panels() * kPanel));
    column_sum_.resize(static_cast<size_t>(panels() * kPanel));
  }
  pool.run(panels(), [&](int64_t p) {
    const int64_t column = p * kPanel;
    pack_panel(type_, b, 0, depth, column, std::min(kPanel, columns - column), const_cast<void*>(panel(p)),
               scaled ? column_scale_.data() + column : nullptr, scaled ? column_sum_.data() + column : nullptr);
  });
}

int64_t PackedMatrix::panel_bytes() const { return whole_groups(type_, depth_) * kPanel * 4 / group(type_); }

int64_t PackedMatrix::bytes() const {
  return panels() * panel_bytes() + static_cast<int64_t>(column_scale_.size() * (sizeof(float) + sizeof(int32_t)));
}

bool PackedMatrix::finite() const {
  const int64_t count = panels() * panel_bytes();
  switch (type_) {
    case PanelType::float32: return all_finite<uint32_t, 0x7F800000u>(panel(0), count / 4);
    case PanelType::bfloat16: return all_finite<uint16_t, 0x7F80u>(panel(0), count / 2);
    case PanelType::float16: return all_finite<uint16_t, 0x7C00u>(panel(0), count / 2);
    case PanelType::int8: return all_finite<uint32_t, 0x7F800000u>(column_scale_.data(), std::ssize(column_scale_));
  }
  return true;
}

bool PackedMatrix::widened_for(Precision left) const { return panel_type(left) != type_; }

void PackedMatrix::widen(int64_t i, float* out) const {
  switch (type_) {
    case PanelType::float32: break;
    case PanelType::bfloat16: return tile::widen_panel(static_cast<const BFloat16*>(panel(i)), depth_, out);
    case PanelType::float16: return tile::widen_panel(static_cast<const Float16*>(panel(i)), depth_, out);
    case PanelType::int8: return tile::widen_panel(static_cast<const int8_t*>(panel(i)), depth_, out);
  }
}

const void* PackedMatrix::panel(int64_t i) const { return static_cast<const char*>(panels_.raw()) + i * panel_bytes(); }

tile::Scales PackedMatrix::scales(int64_t panel) const {
  if (type_ != PanelType::int8) return {};
  return {nullptr, column_scale_.data() + panel * kPanel, column_sum_.data() + panel * kPanel};
}

LeftRows LeftRows::from(int64_t row) const {
  return {precision, static_cast<const char*>(data) + row * stride * factor_bytes(precision), stride,
          scales == nullptr ? nullptr : scales + row};
}

int64_t LeftRoom::floats(Precision precision, int64_t rows, int64_t depth) {
  return ceil_div(rows * padded_bytes(precision, depth) + 1, 4);
}

LeftRows LeftRoom::of(Precision precision, const Matrix& a, int64_t rows, int64_t depth) {
  if (a.transposed) {
    const int64_t tiles = ceil_div(rows, kTileRows);
    void* const out = grown<float>(memory_, tiles * kTileRows * whole_groups(precision, depth) / group(precision) + 1);
    fill_by_depth(precision, floats_of(a), a.stride, rows, depth, out);
    return {precision, out, 0, nullptr};
  }
  if (precision == Precision::float32 && !collides(a.stride)) return {precision, a.data, a.stride, nullptr};
  reserve(precision, rows, depth);
  fill(floats_of(a), a.stride, 0, rows);
  return rows_;
}

LeftRows LeftRoom::reserve(Precision precision, int64_t rows, int64_t depth) {
  depth_ = depth;
  const int64_t stride = padded_bytes(precision, depth);
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
  thread_local Tensor memory;
  const bool widened = b.widened_for(a.precision);
  float* const floats = widened ? grown<float>(memory, (b.depth() + 3) / 4 * 4 * kPanel) : nullptr;
  for (int64_t p = first; p < last; ++p) {
    // Beyond `last`, too: that is most often this thread's next task.
    Panel panel{b.panel(p), b.scales(p), p + 1 < b.panels() ? b.panel(p + 1) : nullptr, b.panel_bytes()};
    if (widened) {
      b.widen(p, floats);
      panel.data = floats;
    }
    multiply_panel(a, rows, b.depth(), panel, finish, row, p * kPanel, std::min(kPanel, b.columns() - p * kPanel));
  }
}

void multiply(Backend& backend, Precision precision, int64_t m, int64_t n, int64_t k, const Matrix& a, const Matrix& b,
              const tile::Finish& finish, Packing packing) {
  constexpr int64_t kManyRows = 192;        // packing then costs little beside the products
  constexpr int64_t kLargest = 1 << 25;     // a vocabulary's copy would take too much memory
  constexpr int64_t kCacheBytes = 1 << 19;  // of panels, which stay in the second cache
  if (m == 0 || n == 0) return;
  const bool many = m >= kManyRows && n * k <= kLargest;
  Product product{precision, m, n, k, a, b, finish};
  if (many && packing == Packing::in_memory) return multiply_shared(backend, product);
  product.chunked = finish.accumulate && !many;
  LeftRoom room;
  LeftRows left;
  if (many && precision != Precision::float32) {
    room = LeftRoom(backend.empty({LeftRoom::floats(precision, m, k)}));
    left = make_left(backend, room, precision, a, m, k);
    product.left = &left;
  }
  const int64_t panels = ceil_div(n, kPanel), bytes = std::max<int64_t>(1, k * kPanel * factor_bytes(precision));
  // All rows are read once for each group: few of them of many rows, each as wide as fits.
  const int64_t tasks = many ? 2 * backend.pool().threads() : kTasks;
  const int64_t most = many ? std::clamp<int64_t>(kCacheBytes / bytes, 1, kGroupPanels) : kGroupPanels;
  const int64_t width = std::clamp<int64_t>(panels / tasks, 1, most);
  backend.pool().run(ceil_div(panels, width), [&](int64_t task) {
    multiply_group(product, task * width, std::min(panels, (task + 1) * width));
  });
}

void multiply(Backend& backend, Precision precision, int64_t m, const Matrix& a, const PackedMatrix& b,
              const tile::Finish& finish) {
  // More rows share a panel that is widened for them.
  const int64_t most = b.widened_for(precision) ? 2 * kBlockRows : kBlockRows;
  if (m == 0 || b.columns() == 0) return;
  LeftRoom room;
  if (precision != Precision::float32 || collides(a.stride)) {
    room = LeftRoom(backend.empty({LeftRoom::floats(precision, m, b.depth())}));
  }
  const LeftRows left = make_left(backend, room, precision, a, m, b.depth());
  const int64_t blocks = ceil_div(m, most), panels = b.panels();
  const int64_t shares = std::clamp<int64_t>(ceil_div(kTasks, blocks), 1, panels);
  backend.pool().run(blocks * shares, [&](int64_t task) {
    const int64_t r = task / shares * most, share = task % shares;
    multiply_panels(left.from(r), std::min(most, m - r), b, panels * share / shares, panels * (share + 1) / shares,
                    finish, r);
  });
}

}  // namespace roformer
