#include "backend/cpu/attention/terms.h"

#include <numbers>

namespace roformer {

using tiles::kPanel;

namespace {

constexpr float kLog2E = std::numbers::log2e_v<float>, kLn2 = std::numbers::ln2_v<float>;
constexpr int64_t kPadding = 32;  // floats that products may access beyond a matrix

// A whole number of vectors but no multiple of a page, with which the rows of a matrix would collide in cache sets.
int64_t matrix_stride(int64_t columns) { return (columns + kPadding + 15) / 16 * 16 | 16; }

int64_t row_of(int64_t distance, int64_t clip) { return std::clamp(distance, -clip, clip) + clip; }

// The first column of a head in a table: of its own slice, or of the shared one.
int64_t first_column(const Tensor& table, int64_t head, int64_t dim) { return table.columns() == dim ? 0 : head * dim; }

bool rises(std::span<const int32_t> positions, int32_t begin, int32_t end) {
  for (int32_t i = begin + 1; i < end; ++i) {
    if (positions[static_cast<size_t>(i)] - positions[static_cast<size_t>(i) - 1] != 1) return false;
  }
  return true;
}

// Calls body(first key, keys, address) for each panel of a tile.
template <class Body>
void for_panels(const tiles::Scores& scores, int64_t keys, const Body& body) {
  for (int64_t j = 0; j < keys; j += kPanel) {
    body(j, std::min(kPanel, keys - j), scores.data + j / kPanel * scores.panel_stride);
  }
}

}  // namespace

bool positions_rise_by_one(const AttentionSpec& spec) {
  for (size_t s = 0; s + 1 < spec.query_offsets.size(); ++s) {
    if (!rises(spec.terms.query_positions, spec.query_offsets[s], spec.query_offsets[s + 1])) return false;
    if (!rises(spec.terms.key_positions, spec.key_offsets[s], spec.key_offsets[s + 1])) return false;
  }
  return true;
}

DistanceRange::DistanceRange(const RelativeTerms& terms, int64_t q0, int64_t queries, int64_t k0, int64_t keys)
    : count(queries + keys - 1), q_last(q0 + queries - 1), k_first(k0) {
  first = int64_t{terms.key_positions[static_cast<size_t>(k0)]} - terms.query_positions[static_cast<size_t>(q_last)];
}

void TermTable::load(const Tensor& table, int64_t clip, const DistanceRange& distances, int64_t column, int64_t dim,
                     float factor, bool reversed) {
  row_stride_ = tiles::padded_columns(dim);
  across_stride_ = matrix_stride(distances.count);
  rows_.assign(static_cast<size_t>((distances.count + kPadding) * row_stride_), 0.0f);
  across_.assign(static_cast<size_t>(tiles::padded_rows(dim) * across_stride_), 0.0f);
  for (int64_t n = 0; n < distances.count; ++n) {
    const int64_t row = row_of(distances.first + (reversed ? distances.count - 1 - n : n), clip);
    tiles::store_rows(table.row<float>(row) + column, 0, 1, dim, factor, rows_.data() + n * row_stride_, 0);
  }
  rows::transpose(rows_.data(), row_stride_, distances.count, dim, across_.data(), across_stride_);
}

ScoreTerms::ScoreTerms(const AttentionSpec& spec, int64_t dim, int64_t value_dim, int64_t tile_queries, int64_t keys)
    : spec_(spec),
      dim_(dim),
      value_dim_(value_dim),
      dim_stride_(tiles::padded_columns(dim)),
      value_stride_(tiles::padded_columns(value_dim)),
      queries_(any() ? tiles::padded_rows(tile_queries) * dim_stride_ : 0),
      keys_(any() ? (keys + kPadding) * dim_stride_ : 0),
      products_(any() ? (std::max(tile_queries, kPanel) + 4) * matrix_stride(tile_queries + keys) : 0),
      transposed_(any() ? tiles::padded_rows(tile_queries) * kPanel : 0),
      ones_(any() ? tile_queries + keys + kPadding : 0) {
  if (any()) std::fill_n(ones_.data(), tile_queries + keys + kPadding, 1.0f);
}

void ScoreTerms::load(const HeadRange& range, const DistanceRange& distances) {
  distances_ = distances;
  const RelativeTerms& terms = spec_.terms;
  const float scale = static_cast<float>(spec_.scale) * kLog2E;
  const auto load_table = [&](TermTable& to, const Tensor& table, int64_t dim, float factor, bool reversed) {
    if (!table.defined()) return;
    to.load(table, terms.clip, distances, first_column(table, range.head, dim), dim, factor, reversed);
  };
  load_table(queries_table_, terms.query_table, dim_, scale, false);
  load_table(keys_table_, terms.key_table, dim_, scale, true);
  load_table(values_table_, terms.value_table, value_dim_, 1, false);
  if (!terms.bias.defined()) return;
  bias_.resize(static_cast<size_t>(distances.count));
  for (int64_t n = 0; n < distances.count; ++n) {
    bias_[static_cast<size_t>(n)] = terms.bias.row<float>(row_of(distances.first + n, terms.clip))[range.head] * kLog2E;
  }
}

void ScoreTerms::load_queries(const tiles::RowSource& x, int64_t rows) {
  if (spec_.terms.query_table.defined()) tiles::load_rows(x, rows, 1, queries_.data(), dim_stride_);
}

void ScoreTerms::load_keys(const tiles::RowSource& x, int64_t rows) {
  if (spec_.terms.key_table.defined()) tiles::load_rows(x, rows, 1, keys_.data(), dim_stride_);
}

ScoreTerms::Window ScoreTerms::window(int64_t q0, int64_t queries, int64_t k0, int64_t keys) {
  const int64_t width = queries + keys - 1, stride = matrix_stride(width);
  return {distances_.number(q0 + queries - 1, k0), width, products_.data(), stride, products_.data() + queries - 1};
}

ScoreTerms::Window ScoreTerms::key_window(int64_t q0, int64_t queries, int64_t k0, int64_t keys) {
  const int64_t width = queries + keys - 1, stride = matrix_stride(width);
  return {distances_.count - 1 - distances_.number(q0, k0 + keys - 1), width, products_.data(), stride,
          products_.data() + keys - 1};
}

void ScoreTerms::add(int64_t q0, int64_t queries, int64_t k0, int64_t keys, const tiles::Scores& scores) {
  const RelativeTerms& terms = spec_.terms;
  if (terms.bias.defined()) {
    const float* const from = bias_.data() + distances_.number(q0, k0);
    for_panels(scores, keys, [&](int64_t j, int64_t count, float* to) {
      tiles::add_rows(from + j, -1, queries, count, 1, to, scores.stride);
    });
  }
  if (terms.query_table.defined()) {
    const Window w = window(q0, queries, k0, keys);
    tiles::multiply(queries, w.width, dim_, {queries_.data(), dim_stride_}, queries_table_.across(w.first), nullptr,
                    w.matrix, w.stride);
    for_panels(scores, keys, [&](int64_t j, int64_t count, float* to) {
      tiles::add_rows(w.at + j, w.stride - 1, queries, count, 1, to, scores.stride);
    });
  }
  if (terms.key_table.defined()) {
    for_panels(scores, keys, [&](int64_t j, int64_t count, float* to) {
      const Window w = key_window(q0, queries, k0 + j, count);
      tiles::multiply(count, w.width, dim_, {keys_.data() + j * dim_stride_, dim_stride_}, keys_table_.across(w.first),
                      nullptr, w.matrix, w.stride);
      rows::transpose(w.at, w.stride - 1, count, queries, transposed_.data(), kPanel);
      tiles::add_rows(transposed_.data(), kPanel, queries, count, 1, to, scores.stride);
    });
  }
}

void ScoreTerms::spread(const Window& w, const tiles::Scores& x, int64_t queries, int64_t keys) {
  std::fill_n(w.matrix, tiles::padded_rows(queries) * w.stride, 0.0f);
  for_panels(x, keys, [&](int64_t j, int64_t count, float* from) {
    tiles::store_rows(from, x.stride, queries, count, 1, w.at + j, w.stride - 1);
  });
}

void ScoreTerms::add_values(int64_t q0, int64_t queries, int64_t k0, int64_t keys, const tiles::Scores& weights,
                            float* c, int64_t c_stride) {
  const Window w = window(q0, queries, k0, keys);
  spread(w, weights, queries, keys);
  tiles::multiply(queries, value_dim_, w.width, {w.matrix, w.stride}, values_table_.rows(w.first), ones(), c, c_stride);
}

ScoreTermsBackward::ScoreTermsBackward(const AttentionSpec& spec, const RelativeTerms& dterms, int64_t dim,
                                       int64_t value_dim, int64_t tile_queries, int64_t keys)
    : ScoreTerms(spec, dim, value_dim, tile_queries, keys),
      dterms_(dterms),
      douts_(values() ? tiles::padded_rows(tile_queries) * value_stride_ : 0),
      dkeys_(spec.terms.key_table.defined() ? (keys + kPadding) * dim_stride_ : 0),
      dqueries_(spec.terms.query_table.defined() ? tiles::padded_rows(tile_queries) * dim_stride_ : 0) {}

TermGradients ScoreTermsBackward::make_gradients(const HeadRange& range, const DistanceRange& distances) const {
  TermGradients gradients{distances, range.head, dim_, value_dim_, {}, {}, {}, {}};
  const auto zeros = [](const Tensor& wanted, int64_t rows, int64_t columns) {
    if (!wanted.defined()) return Tensor();
    Tensor sums = Tensor::allocate({rows, columns}, DType::float32);
    std::fill_n(sums.data<float>(), sums.elements(), 0.0f);
    return sums;
  };
  gradients.bias = zeros(dterms_.bias, 1, distances.count + kPadding);
  gradients.query_table = zeros(dterms_.query_table, distances.count + kPadding, dim_stride_);
  gradients.key_table = zeros(dterms_.key_table, distances.count + kPadding, dim_stride_);
  gradients.value_table = zeros(dterms_.value_table, distances.count + kPadding, value_stride_);
  return gradients;
}

void ScoreTermsBackward::load_douts(const tiles::RowSource& x, int64_t rows) {
  if (values()) tiles::load_rows(x, rows, 1, douts_.data(), value_stride_);
}

void ScoreTermsBackward::clear_keys(int64_t rows) {
  if (spec_.terms.key_table.defined()) std::fill_n(dkeys_.data(), rows * dim_stride_, 0.0f);
}

void ScoreTermsBackward::add_dweights(int64_t q0, int64_t queries, int64_t k0, int64_t keys,
                                      const tiles::Scores& dweights) {
  const Window w = window(q0, queries, k0, keys);
  tiles::multiply(queries, w.width, value_dim_, {douts_.data(), value_stride_}, values_table_.across(w.first), nullptr,
                  w.matrix, w.stride);
  for_panels(dweights, keys, [&](int64_t j, int64_t count, float* to) {
    tiles::add_rows(w.at + j, w.stride - 1, queries, count, 1, to, dweights.stride);
  });
}

void ScoreTermsBackward::add_value_gradients(int64_t q0, int64_t queries, int64_t k0, int64_t keys,
                                             const tiles::Scores& weights, TermGradients& gradients) {
  if (!gradients.value_table.defined()) return;
  const Window w = window(q0, queries, k0, keys);
  spread(w, weights, queries, keys);
  tiles::multiply(w.width, value_dim_, queries, {w.matrix, w.stride, true}, {douts_.data(), value_stride_, kPanel},
                  ones(), gradients.value_table.row<float>(w.first), value_stride_);
}

void ScoreTermsBackward::add_score_gradients(int64_t q0, int64_t queries, int64_t k0, int64_t keys,
                                             const tiles::Scores& dscores, TermGradients& gradients, float* dq,
                                             int64_t dq_stride) {
  if (gradients.bias.defined()) {
    float* const to = gradients.bias.data<float>() + distances_.number(q0, k0);
    for_panels(dscores, keys, [&](int64_t j, int64_t count, const float* from) {
      tiles::add_rows(from, dscores.stride, queries, count, 1, to + j, -1);
    });
  }
  if (spec_.terms.query_table.defined()) {
    const Window w = window(q0, queries, k0, keys);
    spread(w, dscores, queries, keys);
    tiles::multiply(queries, dim_, w.width, {w.matrix, w.stride}, queries_table_.rows(w.first), nullptr,
                    dqueries_.data(), dim_stride_);
    tiles::add_rows(dqueries_.data(), dim_stride_, queries, dim_, kLn2, dq, dq_stride);
    if (gradients.query_table.defined()) {
      tiles::multiply(w.width, dim_, queries, {w.matrix, w.stride, true}, {queries_.data(), dim_stride_, kPanel},
                      ones(), gradients.query_table.row<float>(w.first), dim_stride_);
    }
  }
  if (!spec_.terms.key_table.defined()) return;
  for_panels(dscores, keys, [&](int64_t j, int64_t count, const float* from) {
    const Window w = key_window(q0, queries, k0 + j, count);
    std::fill_n(w.matrix, tiles::padded_rows(count) * w.stride, 0.0f);
    rows::transpose(from, dscores.stride, queries, count, w.at, w.stride - 1);
    const float* const panel = keys_.data() + j * dim_stride_;
    tiles::multiply(count, dim_, w.width, {w.matrix, w.stride}, keys_table_.rows(w.first), ones(),
                    dkeys_.data() + j * dim_stride_, dim_stride_);
    if (gradients.key_table.defined()) {
      tiles::multiply(w.width, dim_, count, {w.matrix, w.stride, true}, {panel, dim_stride_, kPanel}, ones(),
                      gradients.key_table.row<float>(w.first), dim_stride_);
    }
  });
}

void ScoreTermsBackward::add_keys(int64_t rows, float* dkeys, int64_t stride) const {
  if (!spec_.terms.key_table.defined()) return;
  tiles::add_rows(dkeys_.data(), dim_stride_, rows, dim_, kLn2, dkeys, stride);
}

namespace {

// Row `row` of a table of 2 · clip + 1 rows gets the sum over the distances that are clipped to it.
template <class Body>
void for_numbers(const DistanceRange& distances, int64_t clip, int64_t row, const Body& body) {
  const int64_t number = row - clip - distances.first, last = distances.count - 1;
  const int64_t begin = row == 0 ? 0 : std::max<int64_t>(number, 0);
  const int64_t end = row == 2 * clip ? last : std::min(number, last);
  if (row != 0 && row != 2 * clip && (number < 0 || number > last)) return;
  for (int64_t n = begin; n <= end; ++n) body(n);
}

}  // namespace

void add_term_gradients(ThreadPool& pool, const AttentionSpec& spec, const std::vector<TermGradients>& tasks,
                        const RelativeTerms& dterms) {
  constexpr int64_t kRows = 16;
  const int64_t clip = spec.terms.clip;
  const auto for_rows = [&](const Tensor& table, const auto& body) {
    if (!table.defined()) return;
    for_chunks(pool, table.rows(), kRows, [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        for (const TermGradients& task : tasks) {
          for_numbers(task.distances, clip, row, [&](int64_t n) { body(task, row, n); });
        }
      }
    });
  };
  const auto scale = static_cast<float>(spec.scale);
  for_rows(dterms.bias, [&](const TermGradients& task, int64_t row, int64_t n) {
    dterms.bias.row<float>(row)[task.head] += task.bias.data<float>()[n];
  });
  const auto add = [](const Tensor& table, const TermGradients& task, int64_t row, const float* from, int64_t dim,
                      float factor) {
    float* const to = table.row<float>(row) + first_column(table, task.head, dim);
    tiles::add_rows(from, 0, 1, dim, factor, to, 0);
  };
  for_rows(dterms.query_table, [&](const TermGradients& task, int64_t row, int64_t n) {
    add(dterms.query_table, task, row, task.query_table.row<float>(n), task.dim, scale);
  });
  for_rows(dterms.key_table, [&](const TermGradients& task, int64_t row, int64_t n) {
    add(dterms.key_table, task, row, task.key_table.row<float>(task.distances.count - 1 - n), task.dim, scale);
  });
  for_rows(dterms.value_table, [&](const TermGradients& task, int64_t row, int64_t n) {
    add(dterms.value_table, task, row, task.value_table.row<float>(n), task.value_dim, 1);
  });
}

}  // namespace roformer
