#include "backend/cpu/gemm/product.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

namespace roformer {

namespace {

using tile::kMaxTileRows, tile::kPanel;

constexpr int64_t kDepthChunk = 1024;  // of products that accumulate
constexpr int64_t kGroupPanels = 8;    // packed at a time if packing is not shared

// At least so many tasks, if a product has them.
int64_t least_tasks(ThreadPool& pool) { return std::max(16, 2 * pool.threads()); }

// Sums of one tile, in float32.
void multiply_tile(const LhsRows& a, int64_t row, int64_t rows, int64_t depth, const void* panel,
                   const tile::Scales& scales, float* out, const tile::PrefetchHint& hint) {
  const void* lhs = a.at(row, depth);
  const int64_t whole = row_words(a.precision, depth) * 4 / factor_bytes(a.precision);
  switch (a.precision) {
    case Precision::float32:
      tile::multiply(static_cast<const float*>(lhs), a.stride, rows, whole, static_cast<const float*>(panel), out,
                     hint);
      if (scales.column_scale != nullptr) tile::scale_columns(scales.column_scale, rows, out);  // of a widened panel
      return;
    case Precision::bfloat16:
      return tile::multiply(static_cast<const uint16_t*>(lhs), a.stride, rows, whole,
                            static_cast<const uint16_t*>(panel), out, hint);
    case Precision::int8: {
      alignas(64) int32_t sums[kMaxTileRows * kPanel];
      tile::multiply(static_cast<const uint8_t*>(lhs), a.stride, rows, whole, static_cast<const int8_t*>(panel), sums,
                     hint);
      return tile::dequantize(sums, rows, {a.scales + row, scales.column_scale, scales.column_sum}, out);
    }
    case Precision::int4: return;  // in groups alone (grouped.h)
  }
}

// A panel, and the next one to prefetch (null: none): each tile prefetches its share, so that memory is busy even with
// few rows.
struct Panel {
  const void* data;
  tile::Scales scales = {};
  const void* next = nullptr;
  int64_t next_bytes = 0;
};

// The product with one panel, columns `column` … of the result.
void multiply_panel(const LhsRows& a, int64_t rows, int64_t depth, const Panel& panel, const tile::Epilogue& epilogue,
                    int64_t row, int64_t column, int64_t columns) {
  alignas(64) float sums[kMaxTileRows * kPanel];
  const int64_t groups = std::max<int64_t>(1, row_words(a.precision, depth));
  const int64_t step = std::min(panel.next_bytes / groups, tile::kGroupBytes);
  const int64_t tile_rows = tile::rows_of(a.precision);
  for (int64_t r = 0; r < rows; r += tile_rows) {
    const int64_t count = std::min(tile_rows, rows - r);
    tile::PrefetchHint hint;
    if (panel.next != nullptr) {
      hint = {static_cast<const char*>(panel.next) + groups * (step * r / rows), step * count / rows};
    }
    multiply_tile(a, r, count, depth, panel.data, panel.scales, sums, hint);
    tile::apply_epilogue(epilogue, sums, row + r, count, column, columns);
  }
}

// The part of a from row `row` and column `k` on, transposed or not.
Matrix part(const Matrix& a, int64_t row, int64_t k) {
  Matrix result = a;
  const int64_t elements = a.transposed ? k * a.stride + row : row * a.stride + k;
  result.data = static_cast<const char*>(a.data) + elements * dtype_size(a.dtype);
  return result;
}

// Calls body(k0, depth, epilogue) for chunks of the depth if the epilogue accumulates, else once.
template <class Body>
void for_depths(int64_t k, const tile::Epilogue& epilogue, bool chunked, Body&& body) {
  const int64_t chunk = chunked ? kDepthChunk : std::max<int64_t>(k, 1);
  tile::Epilogue part_epilogue = epilogue;
  for (int64_t k0 = 0; k0 < std::max<int64_t>(k, 1); k0 += chunk) {
    body(k0, std::min(chunk, k - k0), part_epilogue);
    part_epilogue.accumulate = true;
  }
}

// A product, and its left factor if converted beforehand.
struct Product {
  Precision precision;
  int64_t m, n, k;
  const Matrix &a, &b;
  const tile::Epilogue& epilogue;
  Profile* profile = nullptr;
  double share = 1;  // of the wall time that a task's is
  bool chunked = false;
  const LhsRows* lhs = nullptr;
};

// Of both factors: reading them in the order of the products, and rounding.
class PackingTimer {
 public:
  explicit PackingTimer(Profile* profile, double share = 1) : timer_(profile, "packing of factors", 0, 0, share) {}

 private:
  ScopedTimer timer_;
};

// Packs and multiplies panels first … last − 1.
void multiply_group(const Product& p, int64_t first, int64_t last) {
  thread_local LhsBuffer buffer;
  for_depths(p.k, p.epilogue, p.chunked, [&](int64_t k0, int64_t depth, const tile::Epilogue& f) {
    const PanelRange panels = [&] {
      const PackingTimer timed(p.profile, p.share);
      return pack_panels(p.precision, part(p.b, k0, 0), depth, p.n, first, last);
    }();
    const int64_t block = block_rows(p.precision, false);
    for (int64_t r = 0; r < p.m; r += block) {
      const int64_t rows = std::min(block, p.m - r);
      const LhsRows lhs = p.lhs != nullptr ? p.lhs->from(r) : buffer.of(p.precision, part(p.a, r, k0), rows, depth);
      for (int64_t i = first; i < last; ++i) {
        const char* const panel = panels.data + (i - first) * panels.bytes;
        multiply_panel(lhs, rows, depth, {panel, {}, i + 1 < last ? panel + panels.bytes : nullptr, panels.bytes}, f, r,
                       i * kPanel, std::min(kPanel, p.n - i * kPanel));
      }
    }
  });
}

// Both factors of a range of the depth, packed in parts: b, and a if it is transposed.
class SharedFactors {
 public:
  SharedFactors(Backend& backend, const Product& p, int64_t k, int64_t depth)
      : product_(p),
        left_(part(p.a, 0, k)),
        right_(part(p.b, k, 0)),
        panels_(backend.empty({PackedMatrix::floats(p.precision, depth, p.n)}), p.precision, right_, depth, p.n) {
    if (p.a.transposed) columns_.emplace(backend, p.precision, p.m, depth);
  }

  int64_t parts() const { return panels_.panels() + (columns_ ? columns_->parts() : 0); }
  void pack(int64_t part) {
    const PackingTimer timed(product_.profile, product_.share);
    if (part < panels_.panels()) return panels_.pack(right_, part);
    columns_->pack(left_, part - panels_.panels());
  }

  const PackedMatrix& panels() const { return panels_; }
  LhsRows rows(int64_t row, int64_t count) const {
    thread_local LhsBuffer buffer;
    return columns_ ? columns_->rows(row)
                    : buffer.of(product_.precision, roformer::part(left_, row, 0), count, panels_.depth());
  }

 private:
  const Product& product_;
  Matrix left_, right_;
  PackedMatrix panels_;
  std::optional<LhsColumns> columns_;
};

// Blocks of rows by all panels or a share of them; b, and a if transposed, are packed once. Gradients of weights, whose
// depth is the number of tokens, arrive in chunks of the depth, so that packed factors stay in the last-level cache;
// each is packed while the one before it is multiplied.
void multiply_shared(Backend& backend, const Product& p) {
  const int64_t chunk = p.a.transposed ? kDepthChunk : std::max<int64_t>(p.k, 1);
  const int64_t chunks = std::max<int64_t>(1, ceil_div(p.k, chunk));
  const auto factors_of = [&](int64_t i) {
    return std::make_unique<SharedFactors>(backend, p, i * chunk, std::min(chunk, p.k - i * chunk));
  };
  const int64_t block = block_rows(p.precision, false), blocks = ceil_div(p.m, block), panels = ceil_div(p.n, kPanel);
  const int64_t shares = std::clamp<int64_t>(ceil_div(least_tasks(backend.pool()), blocks), 1, panels);
  std::unique_ptr<SharedFactors> next = factors_of(0);
  backend.pool().run(next->parts(), [&](int64_t i) { next->pack(i); });
  tile::Epilogue epilogue = p.epilogue;
  for (int64_t i = 0; i < chunks; ++i) {
    const std::unique_ptr<SharedFactors> now = std::exchange(next, i + 1 < chunks ? factors_of(i + 1) : nullptr);
    const int64_t products = blocks * shares;
    backend.pool().run(products + (next == nullptr ? 0 : next->parts()), [&](int64_t task) {
      if (task >= products) return next->pack(task - products);
      const int64_t r = task / shares * block, rows = std::min(block, p.m - r), share = task % shares;
      multiply_panels(now->rows(r, rows), rows, now->panels(), panels * share / shares, panels * (share + 1) / shares,
                      epilogue, r);
    });
    epilogue.accumulate = true;
  }
}

}  // namespace

int64_t block_rows(Precision precision, bool widened) {
  constexpr int64_t kRows = 96;
  return widened || tile::in_tile_registers(precision) ? 2 * kRows : kRows;
}

void multiply_panels(const LhsRows& a, int64_t rows, const PackedMatrix& b, int64_t first, int64_t last,
                     const tile::Epilogue& epilogue, int64_t row) {
  const bool widened = b.widened_for(a.precision);
  for (int64_t p = first; p < last; ++p) {
    // Also beyond `last`: that is usually this thread's next task.
    Panel panel{b.panel(p), b.scales(p), p + 1 < b.panels() ? b.panel(p + 1) : nullptr, b.panel_bytes()};
    if (widened) panel.data = b.widened(p);
    multiply_panel(a, rows, b.depth(), panel, epilogue, row, p * kPanel, std::min(kPanel, b.columns() - p * kPanel));
  }
}

void multiply(Backend& backend, Precision precision, int64_t m, int64_t n, int64_t k, const Matrix& a, const Matrix& b,
              const tile::Epilogue& epilogue, Packing packing) {
  constexpr int64_t kManyRows = 192;        // packing is then cheap relative to the products
  constexpr int64_t kLargest = 1 << 25;     // a copy of a vocabulary would take too much memory
  constexpr int64_t kCacheBytes = 1 << 19;  // of panels that stay in L2
  if (m == 0 || n == 0) return;
  const bool many = m >= kManyRows && n * k <= kLargest;
  Product product{precision, m, n, k, a, b, epilogue, backend.profile(), 1.0 / backend.pool().threads()};
  if (many && packing == Packing::in_memory) return multiply_shared(backend, product);
  product.chunked = epilogue.accumulate && !many;
  LhsBuffer buffer;
  LhsRows lhs;
  if (many && precision != Precision::float32) {
    const PackingTimer timed(product.profile);
    buffer = LhsBuffer(backend.empty({LhsBuffer::floats(precision, m, k)}));
    lhs = buffer.of(backend.pool(), precision, a, m, k);
    product.lhs = &lhs;
  }
  const int64_t panels = ceil_div(n, kPanel), bytes = std::max<int64_t>(1, k * kPanel * factor_bytes(precision));
  // All rows are read once per group: with many rows, few groups as wide as fit.
  const int64_t tasks = many ? 2 * backend.pool().threads() : least_tasks(backend.pool());
  const int64_t max_width = many ? std::clamp<int64_t>(kCacheBytes / bytes, 1, kGroupPanels) : kGroupPanels;
  const int64_t width = std::clamp<int64_t>(panels / tasks, 1, max_width);
  backend.pool().run(ceil_div(panels, width), [&](int64_t task) {
    multiply_group(product, task * width, std::min(panels, (task + 1) * width));
  });
}

void multiply(Backend& backend, Precision precision, int64_t m, const Matrix& a, const PackedMatrix& b,
              const tile::Epilogue& epilogue) {
  const int64_t block = block_rows(precision, b.widened_for(precision));
  if (m == 0 || b.columns() == 0) return;
  LhsBuffer buffer;
  if (LhsBuffer::needed(precision, a.stride)) {
    buffer = LhsBuffer(backend.empty({LhsBuffer::floats(precision, m, b.depth())}));
  }
  const LhsRows lhs = buffer.of(backend.pool(), precision, a, m, b.depth());
  const int64_t blocks = ceil_div(m, block), panels = b.panels();
  const int64_t shares = std::clamp<int64_t>(ceil_div(least_tasks(backend.pool()), blocks), 1, panels);
  backend.pool().run(blocks * shares, [&](int64_t task) {
    const int64_t r = task / shares * block, share = task % shares;
    multiply_panels(lhs.from(r), std::min(block, m - r), b, panels * share / shares, panels * (share + 1) / shares,
                    epilogue, r);
  });
}

}  // namespace roformer
