#include "backend/cpu/gemm/packing.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "backend/cpu/rows/rows.h"
#include "base/error.h"

namespace roformer {

namespace {

using tile::kPanel, tile::kTileRows;

constexpr int64_t kLargestInt8Depth = 65536;
constexpr int64_t kChunkRows = 16, kChunkColumns = 8 * kTileRows;  // of a left factor, packed by a task

PanelType panel_type(Precision precision, DType of_rows = DType::float32) {
  switch (precision) {
    case Precision::bfloat16: return PanelType::bfloat16;
    case Precision::int8: return PanelType::int8;
    case Precision::float32:
    case Precision::int4: break;  // in groups alone (grouped.h)
  }
  if (of_rows == DType::bfloat16) return PanelType::bfloat16;
  return of_rows == DType::float16 ? PanelType::float16 : PanelType::float32;
}

// Elements in four bytes.
int64_t group(PanelType type) {
  switch (type) {
    case PanelType::float32: return 1;
    case PanelType::bfloat16:
    case PanelType::float16: return 2;
    case PanelType::int8: return 4;
  }
  return 1;
}
// 32-bit words of a row, the last one padded.
int64_t words(PanelType type, int64_t depth) { return ceil_div(depth, group(type)); }

// Bytes of a row, padded so that adjacent rows do not collide in the cache.
int64_t padded_bytes(Precision precision, int64_t depth) {
  constexpr int64_t kLine = 64;
  return ceil_div(depth * factor_bytes(precision), kLine) * kLine + kLine;
}

template <class T>
T* grown(Tensor& memory, int64_t count) {
  const int64_t floats = ceil_div(count * static_cast<int64_t>(sizeof(T)), 4);
  if (!memory.defined() || memory.elements() < floats) memory = Tensor::allocate({floats}, DType::float32);
  return static_cast<T*>(memory.raw());
}

// Copies `count` of at most kMax floats. A full copy, the usual case, compiles to a few moves.
template <int64_t kMax>
void copy_up_to(const float* from, int64_t count, float* to) {
  if (count == kMax) {
    std::memcpy(to, from, kMax * sizeof(float));
  } else {
    std::copy_n(from, count, to);
  }
}

// Transposes rows of 32-bit groups into columns of a panel.
void transpose_groups(const void* rows, int64_t stride, int64_t columns, int64_t groups, void* panel) {
  rows::transpose(static_cast<const float*>(rows), stride, columns, groups, static_cast<float*>(panel), kPanel);
}

// The first `count` elements of row `row` of a stored matrix, converted into `buffer` if necessary.
const float* float_row(const Matrix& b, int64_t row, int64_t count, float* buffer) {
  const int64_t at = row * b.stride;
  const float* from = buffer;
  switch (b.dtype) {
    case DType::bfloat16: tile::widen(static_cast<const BFloat16*>(b.data) + at, buffer, count); break;
    case DType::float16: tile::widen(static_cast<const Float16*>(b.data) + at, buffer, count); break;
    default: from = static_cast<const float*>(b.data) + at;
  }
  if (!b.rounded) return from;
  tile::round_to_bfloat16(from, buffer, count);
  return buffer;
}

// Converts a row to a panel's type, padded with zeros to `groups` 32-bit words.
struct RowPacker {
  PanelType type;
  const Matrix& b;
  int64_t depth, groups;
  float* buffer;  // [depth]

  void operator()(int64_t row, char* out, float* scale, int32_t* sum) const {
    std::memset(out + (groups - 1) * 4, 0, 4);
    const int64_t at = row * b.stride;
    switch (type) {
      case PanelType::float32: {
        auto* const floats = reinterpret_cast<float*>(out);
        const float* const from = float_row(b, row, depth, floats);
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
          tile::to_bfloat16(float_row(b, row, depth, buffer), halves, depth);
        }
        return;
      }
      case PanelType::int8: {
        *scale = tile::quantize_weights(float_row(b, row, depth, buffer), reinterpret_cast<int8_t*>(out), depth, *sum);
        return;
      }
    }
  }
};

// For a transposed b, whose columns are rows in memory: converts rows, then transposes.
void pack_from_rows(PanelType type, const Matrix& b, int64_t depth, int64_t column, int64_t columns, void* panel,
                    float* scale, int32_t* sum) {
  if (type == PanelType::float32 && b.dtype == DType::float32 && !b.rounded) {
    return transpose_groups(static_cast<const float*>(b.data) + column * b.stride, b.stride, columns, depth, panel);
  }
  const int64_t groups = words(type, depth);
  thread_local Tensor memory, buffer;
  auto* const bytes = grown<char>(memory, columns * groups * 4);
  const RowPacker pack{type, b, depth, groups, grown<float>(buffer, depth)};
  for (int64_t c = 0; c < columns; ++c) {
    pack(column + c, bytes + c * groups * 4, scale == nullptr ? nullptr : scale + c,
         sum == nullptr ? nullptr : sum + c);
  }
  transpose_groups(bytes, groups, columns, groups, panel);
}

void pack_from_columns(PanelType type, const Matrix& b, int64_t depth, int64_t column, int64_t columns, void* panel) {
  const float* row = static_cast<const float*>(b.data) + column;
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

// Packs columns `column` … of b as one panel.
void pack_panel(PanelType type, const Matrix& b, int64_t depth, int64_t column, int64_t columns, void* panel,
                float* scale = nullptr, int32_t* sum = nullptr) {
  if (columns < kPanel) std::memset(panel, 0, static_cast<size_t>(words(type, depth) * kPanel * 4));
  if (b.transposed) {
    pack_from_rows(type, b, depth, column, columns, panel, scale, sum);
  } else {
    pack_from_columns(type, b, depth, column, columns, panel);
  }
}

// Whether the rows of a transposed left factor are stored by depth.
bool by_depth(Precision precision) { return !tile::in_tile_registers(precision); }

// 32-bit words of a transposed left factor, of which that of row r begins at r · words of a row.
int64_t words_of_columns(Precision precision, int64_t depth) {
  return by_depth(precision) ? row_words(precision, depth) : padded_bytes(precision, depth) / 4;
}

// Packs columns of `a` (a transposed left factor) as rows of bfloat16.
void fill_as_rows(const float* a, int64_t stride, int64_t rows, int64_t depth, void* out) {
  constexpr int64_t kPairs = 16;  // of each row at a time: a cache line
  const int64_t words = words_of_columns(Precision::bfloat16, depth), pairs = row_words(Precision::bfloat16, depth);
  thread_local Tensor memory;
  auto* const block = grown<float>(memory, kPairs * rows);
  for (int64_t first = 0; first < pairs; first += kPairs) {
    const int64_t count = std::min(kPairs, pairs - first);
    for (int64_t p = 0; p < count; ++p) {
      const int64_t k = 2 * (first + p);
      const float* const source = a + k * stride;
      tile::pair_bfloat16(source, k + 1 < depth ? source + stride : nullptr,
                          reinterpret_cast<uint16_t*>(block + p * rows), rows);
    }
    rows::transpose(block, rows, count, rows, static_cast<float*>(out) + first, words);
  }
}

// Packs whole tiles by depth, each from twelve columns of `a` (a transposed left factor).
void fill_by_depth(Precision precision, const float* a, int64_t stride, int64_t rows, int64_t depth, void* out) {
  const int64_t step = group(panel_type(precision)), tile_words = row_words(precision, depth) * kTileRows;
  thread_local Tensor memory;
  for (int64_t k = 0; k < depth; k += step) {
    const float* source = a + k * stride;
    if (precision == Precision::bfloat16) {
      auto* const pairs = grown<uint16_t>(memory, 2 * rows);
      tile::pair_bfloat16(source, k + 1 < depth ? source + stride : nullptr, pairs, rows);
      source = reinterpret_cast<const float*>(pairs);  // also of 32 bits
    }
    float* to = static_cast<float*>(out) + k / step * kTileRows;
    for (int64_t r = 0; r < rows; r += kTileRows) {
      copy_up_to<kTileRows>(source + r, std::min(kTileRows, rows - r), to);
      to += tile_words;
    }
  }
}

// A transposed left factor as the tile kernels read it, in rows or by depth.
void fill_columns(Precision precision, const float* a, int64_t stride, int64_t rows, int64_t depth, void* out) {
  if (by_depth(precision)) return fill_by_depth(precision, a, stride, rows, depth, out);
  fill_as_rows(a, stride, rows, depth, out);
}

LhsRows rows_of_columns(Precision precision, int64_t depth, const void* data) {
  const int64_t stride = words_of_columns(precision, depth) * 4 / factor_bytes(precision);
  return {precision, data, by_depth(precision) ? 0 : stride, nullptr};
}

const float* floats_of(const Matrix& a) { return static_cast<const float*>(a.data); }

// Whether all elements are finite: their exponent bits (kExponent) are not all ones.
template <class Word, Word kExponent>
bool all_finite(const void* data, int64_t count) {
  const Word* const words = static_cast<const Word*>(data);
  return std::none_of(words, words + count, [](Word x) { return (x & kExponent) == kExponent; });
}

}  // namespace

PanelRange pack_panels(Precision precision, const Matrix& b, int64_t depth, int64_t columns, int64_t first,
                       int64_t last) {
  thread_local Tensor memory;
  const int64_t bytes = row_words(precision, depth) * kPanel * 4;
  char* const panels = grown<char>(memory, (last - first) * bytes + 1);
  for (int64_t i = first; i < last; ++i) {
    pack_panel(panel_type(precision), b, depth, i * kPanel, std::min(kPanel, columns - i * kPanel),
               panels + (i - first) * bytes);
  }
  return {panels, bytes};
}

int64_t PackedMatrix::floats(Precision precision, int64_t depth, int64_t columns, DType of_rows) {
  const PanelType type = panel_type(precision, of_rows);
  return std::max<int64_t>(1, ceil_div(columns, kPanel) * kPanel * words(type, depth));
}

PackedMatrix::PackedMatrix(Tensor memory, Precision precision, const Matrix& b, int64_t depth, int64_t columns)
    : type_(panel_type(precision, b.rounded && b.dtype == DType::float16 ? DType::float32 : b.dtype)),
      depth_(depth),
      columns_(columns),
      panels_(std::move(memory)) {
  if (type_ != PanelType::int8) return;
  if (depth > kLargestInt8Depth)
    throw DataError("int8 products over {} elements, expected at most {}", depth, kLargestInt8Depth);
  column_scale_.resize(static_cast<size_t>(panels() * kPanel));
  column_sum_.resize(static_cast<size_t>(panels() * kPanel));
}

PackedMatrix::PackedMatrix(ThreadPool& pool, Tensor memory, Precision precision, const Matrix& b, int64_t depth,
                           int64_t columns)
    : PackedMatrix(std::move(memory), precision, b, depth, columns) {
  pool.run(panels(), [&](int64_t i) { pack(b, i); });
}

void PackedMatrix::pack(const Matrix& b, int64_t panel) {
  const bool scaled = type_ == PanelType::int8;
  const int64_t column = panel * kPanel;
  pack_panel(type_, b, depth_, column, std::min(kPanel, columns_ - column), const_cast<void*>(this->panel(panel)),
             scaled ? column_scale_.data() + column : nullptr, scaled ? column_sum_.data() + column : nullptr);
}

int64_t PackedMatrix::panel_bytes() const { return words(type_, depth_) * kPanel * 4; }

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

bool PackedMatrix::widened_for(Precision lhs) const { return panel_type(lhs) != type_; }

const float* PackedMatrix::widened(int64_t i) const {
  thread_local Tensor memory;
  float* const out = grown<float>(memory, ceil_div(depth_, 4) * 4 * kPanel);
  switch (type_) {
    case PanelType::float32: break;
    case PanelType::bfloat16: tile::widen_panel(static_cast<const BFloat16*>(panel(i)), depth_, out); break;
    case PanelType::float16: tile::widen_panel(static_cast<const Float16*>(panel(i)), depth_, out); break;
    case PanelType::int8: tile::widen_panel(static_cast<const int8_t*>(panel(i)), depth_, out); break;
  }
  return out;
}

const void* PackedMatrix::panel(int64_t i) const { return static_cast<const char*>(panels_.raw()) + i * panel_bytes(); }

tile::Scales PackedMatrix::scales(int64_t panel) const {
  if (type_ != PanelType::int8) return {};
  return {nullptr, column_scale_.data() + panel * kPanel, column_sum_.data() + panel * kPanel};
}

LhsRows LhsRows::from(int64_t row) const {
  return {precision, static_cast<const char*>(data) + row * stride * factor_bytes(precision), stride,
          scales == nullptr ? nullptr : scales + row};
}

bool LhsBuffer::needed(Precision precision, int64_t stride) {
  return precision != Precision::float32 || stride * static_cast<int64_t>(sizeof(float)) % 4096 == 0;
}

int64_t LhsBuffer::floats(Precision precision, int64_t rows, int64_t depth) {
  return ceil_div(rows * padded_bytes(precision, depth) + 1, 4);
}

LhsRows LhsBuffer::of(Precision precision, const Matrix& a, int64_t rows, int64_t depth) {
  if (a.transposed) {
    const int64_t tiles = ceil_div(rows, kTileRows);
    void* const out = grown<float>(memory_, tiles * kTileRows * words_of_columns(precision, depth) + 1);
    fill_columns(precision, floats_of(a), a.stride, rows, depth, out);
    return rows_of_columns(precision, depth, out);
  }
  if (!needed(precision, a.stride)) return {precision, a.data, a.stride, nullptr};
  reserve(precision, rows, depth);
  fill(floats_of(a), a.stride, 0, rows);
  return rows_;
}

LhsRows LhsBuffer::of(ThreadPool& pool, Precision precision, const Matrix& a, int64_t rows, int64_t depth) {
  if (!needed(precision, a.stride)) return of(precision, a, rows, depth);
  reserve(precision, rows, depth);
  for_chunks(pool, rows, kChunkRows,
             [&](int64_t begin, int64_t end) { fill(floats_of(a) + begin * a.stride, a.stride, begin, end - begin); });
  return rows_;
}

LhsRows LhsBuffer::reserve(Precision precision, int64_t rows, int64_t depth) {
  depth_ = depth;
  const int64_t stride = padded_bytes(precision, depth);
  const void* data = grown<char>(memory_, rows * stride + 1);
  if (precision == Precision::int8) scales_.resize(static_cast<size_t>(rows));
  rows_ = {precision, data, stride / factor_bytes(precision), scales_.data()};
  // Padding of rows to whole groups counts as elements.
  const int64_t used = depth * factor_bytes(precision), whole = row_words(precision, depth) * 4;
  for (int64_t r = 0; used < whole && r < rows; ++r) {
    std::memset(static_cast<char*>(memory_.raw()) + r * stride + used, 0, static_cast<size_t>(whole - used));
  }
  return rows_;
}

void LhsBuffer::fill(const float* a, int64_t stride, int64_t first, int64_t rows) {
  const Precision precision = rows_.precision;
  for (int64_t r = first; r < first + rows; ++r) {
    const float* from = a + (r - first) * stride;
    void* const to = static_cast<char*>(memory_.raw()) + r * rows_.stride * factor_bytes(precision);
    switch (precision) {
      case Precision::float32: std::copy_n(from, depth_, static_cast<float*>(to)); break;
      case Precision::bfloat16: tile::to_bfloat16(from, static_cast<uint16_t*>(to), depth_); break;
      case Precision::int8:
        scales_[static_cast<size_t>(r)] = tile::quantize(from, static_cast<uint8_t*>(to), depth_);
        break;
      case Precision::int4: break;  // in groups alone
    }
  }
}

LhsColumns::LhsColumns(Backend& backend, Precision precision, int64_t rows, int64_t depth)
    : precision_(precision), rows_(rows), depth_(depth), words_(words_of_columns(precision, depth)) {
  memory_ = backend.empty({ceil_div(rows, kTileRows) * kTileRows * words_});
}

int64_t LhsColumns::parts() const { return ceil_div(rows_, kChunkColumns); }

void LhsColumns::pack(const Matrix& a, int64_t part) {
  const int64_t begin = part * kChunkColumns;
  fill_columns(precision_, floats_of(a) + begin, a.stride, std::min(kChunkColumns, rows_ - begin), depth_,
               memory_.data<float>() + begin * words_);
}

LhsRows LhsColumns::rows(int64_t row) const {
  return rows_of_columns(precision_, depth_, memory_.data<float>() + row * words_);
}

}  // namespace roformer
