// Score terms and relative values (RelativeTerms) of one head of one sequence, in tiles. Where positions rise by one,
// row r of a table belongs to a diagonal of the scores: the products of some queries with a window of the table's rows
// contain the terms of all scores, and the term of query i and key j is at (i, j − i + constant). That is a matrix
// whose row stride is one less, so distances become strides, without indices or an S×S matrix. Rows beyond the clip are
// repeated. Products are always float32. One object per thread.
#pragma once

#include "backend/cpu/attention/tasks.h"
#include "backend/cpu/attention/tile.h"

namespace roformer {

// Whether the positions of each sequence's queries and keys rise by one, as required below.
bool positions_rise_by_one(const AttentionSpec& spec);

// The distances between some queries and keys; number 0 is that of the first key and the last query.
struct DistanceRange {
  int64_t first = 0;  // of number 0: key position − query position
  int64_t count = 0;
  int64_t q_last = 0, k_first = 0;  // tokens

  DistanceRange() = default;
  DistanceRange(const RelativeTerms& terms, int64_t q0, int64_t queries, int64_t k0, int64_t keys);
  int64_t number(int64_t query, int64_t key) const { return key - k_first + q_last - query; }
};

// The rows of a table for a range of distances, as factors of products.
class TermTable {
 public:
  // `reversed`: the greatest distance first. Columns first_column … + dim − 1 of `table`, times `factor`.
  void load(const Tensor& table, int64_t clip, const DistanceRange& distances, int64_t first_column, int64_t dim,
            float factor, bool reversed);
  tiles::Rhs across(int64_t first) const { return {across_.data() + first, across_stride_, tiles::kPanel}; }
  tiles::Rhs rows(int64_t first) const { return {rows_.data() + first * row_stride_, row_stride_, tiles::kPanel}; }

 private:
  std::vector<float> rows_, across_;  // [count, dim] and [dim, count], padded
  int64_t row_stride_ = 0, across_stride_ = 0;
};

// Tables are loaded per task, keys per block and queries per tile; then terms are added.
class ScoreTerms {
 public:
  // Terms are added to scores that include `scale` and log2(e).
  ScoreTerms(const AttentionSpec& spec, int64_t dim, int64_t value_dim, int64_t tile_queries, int64_t keys);
  bool any() const { return spec_.terms.any(); }
  bool values() const { return spec_.terms.value_table.defined(); }

  void load(const HeadRange& range, const DistanceRange& distances);
  const DistanceRange& distances() const { return distances_; }
  void load_queries(const tiles::RowSource& x, int64_t rows);  // per tile, not scaled
  void load_keys(const tiles::RowSource& x, int64_t rows);     // per block, at most `keys`

  // scores += terms of the loaded queries and the first `keys` loaded keys, which begin at tokens q0 and k0.
  void add(int64_t q0, int64_t queries, int64_t k0, int64_t keys, const tiles::Scores& scores);
  // c [queries, value_dim] += weights · rows of the value table.
  void add_values(int64_t q0, int64_t queries, int64_t k0, int64_t keys, const tiles::Scores& weights, float* c,
                  int64_t c_stride);

 protected:
  // The window of distances of a tile, and a matrix with a row per query over that window; the element of query i and
  // key j is at `at` + i · (stride − 1) + j.
  struct Window {
    int64_t first, width;
    float* matrix;
    int64_t stride;
    float* at;
  };
  Window window(int64_t q0, int64_t queries, int64_t k0, int64_t keys);
  // The same with a row per key of a panel, over reversed distances; the element is at `at` + j · (stride − 1) + i.
  Window key_window(int64_t q0, int64_t queries, int64_t k0, int64_t keys);
  // Scatters a tile into a window's matrix, with zeros elsewhere.
  void spread(const Window& window, const tiles::Scores& x, int64_t queries, int64_t keys);
  const float* ones() const { return ones_.data(); }

  const AttentionSpec& spec_;
  int64_t dim_, value_dim_, dim_stride_, value_stride_;
  DistanceRange distances_;
  TermTable queries_table_, keys_table_, values_table_;
  std::vector<float> bias_;
  Buffer queries_, keys_, products_, transposed_, ones_;
};

// The gradients of one task's tables, over the distances of its queries and keys. Those of all tasks are buffered until
// they are summed: per table about twice the elements of the queries' gradients.
struct TermGradients {
  DistanceRange distances;
  int64_t head = 0, dim = 0, value_dim = 0;
  Tensor bias, query_table, key_table, value_table;  // [1, count], [count, dim], the same reversed, [count, value_dim]
};

class ScoreTermsBackward : public ScoreTerms {
 public:
  ScoreTermsBackward(const AttentionSpec& spec, const RelativeTerms& dterms, int64_t dim, int64_t value_dim,
                     int64_t tile_queries, int64_t keys);

  // Zeros for the tensors that are defined in dterms.
  TermGradients make_gradients(const HeadRange& range, const DistanceRange& distances) const;
  void load_douts(const tiles::RowSource& x, int64_t rows);  // per tile
  void clear_keys(int64_t rows);                             // gradients of a block

  // dweights += douts · rows of the value table.
  void add_dweights(int64_t q0, int64_t queries, int64_t k0, int64_t keys, const tiles::Scores& dweights);
  void add_value_gradients(int64_t q0, int64_t queries, int64_t k0, int64_t keys, const tiles::Scores& weights,
                           TermGradients& gradients);
  // Adds to the gradients of tables and queries (dq += scale · …) from those of the scores; sums of keys are held until
  // add_keys().
  void add_score_gradients(int64_t q0, int64_t queries, int64_t k0, int64_t keys, const tiles::Scores& dscores,
                           TermGradients& gradients, float* dq, int64_t dq_stride);
  void add_keys(int64_t rows, float* dkeys, int64_t stride) const;

 private:
  const RelativeTerms& dterms_;
  Buffer douts_, dkeys_, dqueries_;
};

// dterms += the gradients of all tasks, in their order.
void add_term_gradients(ThreadPool& pool, const AttentionSpec& spec, const std::vector<TermGradients>& tasks,
                        const RelativeTerms& dterms);

}  // namespace roformer
