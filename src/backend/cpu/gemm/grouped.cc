#include "backend/cpu/gemm/grouped.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstring>

#include "backend/cpu/gemm/group_rounding.h"
#include "tensor/half.h"

namespace roformer {

namespace {

using tile::kPanel;

constexpr int64_t kFours = kGroup / 4;

bool has_halves(GroupedForm form) { return form != GroupedForm::int8; }
int64_t code_bytes(GroupedForm form) { return (has_halves(form) ? kFours / 2 : kFours) * kPanel * 4; }
int zero_of(GroupedForm form) {
  switch (form) {
    case GroupedForm::int8: return 128;
    case GroupedForm::int4: return 8;
    case GroupedForm::int4_minimum: break;
  }
  return 0;
}

// Calls body(group, values) for each group of a row. The last is padded with its last value, which any scale holds;
// activations are 0 there.
template <class Body>
void for_groups(const Tensor& rows, int64_t row, Body&& body) {
  float values[kGroup];
  for (int64_t c = 0; c < rows.columns(); c += kGroup) {
    const int64_t count = std::min(kGroup, rows.columns() - c);
    switch (rows.dtype()) {
      case DType::bfloat16: tile::widen(rows.row<BFloat16>(row) + c, values, count); break;
      case DType::float16: tile::widen(rows.row<Float16>(row) + c, values, count); break;
      default: std::copy_n(rows.row<float>(row) + c, count, values);
    }
    std::fill(values + count, values + kGroup, values[count - 1]);
    body(c / kGroup, values);
  }
}

// Whether all groups are exact in a form.
template <class Exact>
bool holds(ThreadPool& pool, const Tensor& rows, const Exact& exact) {
  std::atomic<bool> all = true;
  pool.run(rows.rows(), [&](int64_t i) {
    for_groups(rows, i, [&](int64_t, const float* values) {
      if (all.load(std::memory_order_relaxed) && !exact(values)) all = false;
    });
  });
  return all;
}

GroupedForm form_of(ThreadPool& pool, Precision precision, const Tensor& rows) {
  if (precision == Precision::int8) return GroupedForm::int8;
  if (holds(pool, rows, [](const float* values) { return exact_int4(values).has_value(); })) return GroupedForm::int4;
  // With a minimum there is any group of the other form, too.
  const auto with_minimum = [](const float* values) { return exact_int4_minimum(values).has_value(); };
  if (holds(pool, rows, with_minimum)) return GroupedForm::int4_minimum;
  const auto in_int8 = [](const float* values) { return exact_int8(values).has_value(); };
  return holds(pool, rows, in_int8) ? GroupedForm::int8 : GroupedForm::int4;
}

WeightGroup group_of(GroupedForm form, const float* values) {
  std::optional<WeightGroup> exact;
  switch (form) {
    case GroupedForm::int8: exact = exact_int8(values); return exact ? *exact : rounded_int8(values);
    case GroupedForm::int4: exact = exact_int4(values); return exact ? *exact : rounded_int4(values);
    case GroupedForm::int4_minimum: break;
  }
  return exact_int4_minimum(values).value();  // a form of exact groups only
}

// Writes one output's part of a group.
void store(GroupedForm form, const WeightGroup& group, int64_t column, char* to) {
  for (int64_t k = 0; k < kGroup; ++k) {
    const auto code = static_cast<uint8_t>(group.codes[static_cast<size_t>(k)] + zero_of(form));
    const int64_t four = k / 4, stored = has_halves(form) ? four % (kFours / 2) : four;
    char& byte = to[(stored * kPanel + column) * 4 + k % 4];
    const int shift = has_halves(form) && four >= kFours / 2 ? 4 : 0;
    byte = static_cast<char>(static_cast<uint8_t>(byte) | code << shift);
  }
  char* const scales = to + code_bytes(form);
  std::memcpy(scales + 2 * column, &group.scale, 2);
  if (form == GroupedForm::int4_minimum) std::memcpy(scales + 2 * (kPanel + column), &group.minimum, 2);
}

GroupedRows grouped_rows(ThreadPool& pool, const Tensor& x) {
  constexpr int64_t kChunk = 16;
  GroupedRows result;
  result.groups = ceil_div(x.columns(), kGroup);
  const auto count = static_cast<size_t>(x.rows() * result.groups);
  result.codes.resize(count * kGroup);
  result.scales.resize(count);
  result.sums.resize(count);
  for_chunks(pool, x.rows(), kChunk, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      for (int64_t g = 0; g < result.groups; ++g) {
        const auto at = static_cast<size_t>(i * result.groups + g);
        result.scales[at] =
            tile::quantize_group(x.row<float>(i) + g * kGroup, std::min(kGroup, x.columns() - g * kGroup),
                                 result.codes.data() + at * kGroup, result.sums[at]);
      }
    }
  });
  return result;
}

}  // namespace

int64_t GroupedMatrix::group_bytes(GroupedForm form) {
  const int64_t numbers = form == GroupedForm::int4_minimum ? 2 : 1;
  return code_bytes(form) + numbers * kPanel * 2;
}

GroupedMatrix::GroupedMatrix(Backend& backend, Precision precision, const Tensor& rows)
    : outputs_(rows.rows()),
      depth_(rows.columns()),
      form_(form_of(backend.pool(), precision, rows)),
      memory_(backend.zeros({std::max<int64_t>(1, ceil_div(bytes(), 4))})) {
  backend.pool().run(panels(), [&](int64_t p) {
    char* const to = static_cast<char*>(memory_.raw()) + p * panel_bytes();
    for (int64_t column = 0; column < std::min(kPanel, outputs_ - p * kPanel); ++column) {
      for_groups(rows, p * kPanel + column, [&](int64_t g, const float* values) {
        store(form_, group_of(form_, values), column, to + g * group_bytes(form_));
      });
    }
  });
}

bool GroupedMatrix::finite() const {
  const int64_t numbers = group_bytes(form_) - code_bytes(form_);
  for (int64_t g = 0; g < panels() * groups(); ++g) {
    const char* const halves = panel(0) + g * group_bytes(form_) + code_bytes(form_);
    for (int64_t byte = 0; byte < numbers; byte += 2) {
      Float16 half;
      std::memcpy(&half, halves + byte, sizeof half);
      if (!std::isfinite(widened(half))) return false;
    }
  }
  return true;
}

void multiply_grouped(ThreadPool& pool, const Tensor& x, const GroupedMatrix& weight, const tile::Epilogue& epilogue) {
  constexpr int64_t kBlock = 64;  // rows that a task multiplies with all panels of its share
  if (x.rows() == 0) return;
  const GroupedRows rows = grouped_rows(pool, x);
  const int64_t blocks = ceil_div(x.rows(), kBlock), tasks = std::max(16, 2 * pool.threads());
  const int64_t shares = std::clamp<int64_t>(ceil_div(tasks, blocks), 1, weight.panels());
  pool.run(blocks * shares, [&](int64_t task) {
    const int64_t begin = task / shares * kBlock, end = std::min(x.rows(), begin + kBlock), share = task % shares;
    float sums[tile::kGroupedRows * kPanel];
    for (int64_t p = weight.panels() * share / shares; p < weight.panels() * (share + 1) / shares; ++p) {
      for (int64_t row = begin; row < end; row += tile::kGroupedRows) {
        const int64_t count = std::min(tile::kGroupedRows, end - row);
        tile::multiply_groups(rows, row, count, weight.form(), weight.panel(p), sums);
        tile::apply_epilogue(epilogue, sums, row, count, p * kPanel, std::min(kPanel, weight.outputs() - p * kPanel));
      }
    }
  });
}

}  // namespace roformer
