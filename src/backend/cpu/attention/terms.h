// Score terms and relative values (RelativeTerms) of one head of one sequence, in tiles. Where positions rise by one,
// row r of a table belongs to a diagonal of the scores: the products of some queries with a window of the tables' rows
// hold every score's term, and the term of query i and key j lies at (i, j − i + constant). That is a matrix whose row
// stride is one less, so that distances become strides, and neither an index nor an S×S matrix is ever made. Rows
// beyond the clip are repeated. Products are float32, whatever the others' precision. One a thread.
#pragma once

#include "backend/cpu/attention/tasks.h"
#include "backend/cpu/attention/tile.h"

namespace roformer {

// Whether the positions of each sequence's queries and keys rise by one, as everything below needs it.
bool positions_rise_by_one(const AttentionSpec& spec);

// The distances between some queries and some keys of a place, from the first key and the last query (0) on.
struct DistanceRange {
  int64_t first = 0;  // distance of number 0: key position − query position
  int64_t count = 0;
  int64_t q_last = 0, k_first = 0;  // tokens

  DistanceRange() = default;
  DistanceRange(const RelativeTerms& terms, int64_t q0, int64_t queries, int64_t k0, int64_t keys);
  int64_t number(int64_t query, int64_t key) const { return key - k_first + q_last - query; }
};

// A table's rows of a range of distances, in the forms products take.
class TermTable {
 public:
  // `reversed`: the greatest distance first. Columns first_column … + dim − 1 of `table`, times `factor`.
  void load(const Tensor& table, int64_t clip, const DistanceRange& distances, int64_t first_column, int64_t dim,
            float factor, bool reversed);
  tiles::Rhs across(int64_t first) const { return {across_.data() + first, across_stride_, tiles::kPanel}; }
  tiles::Rhs rows(int64_t first) const { return {rows_.data() + first * row_stride_, row_stride_, tiles::kPanel}; }

 private:
  std::vector<float> rows_, across_;  // [count, dim] and [dim, count], with room around
  int64_t row_stride_ = 0, across_stride_ = 0;
};

// The tables of a task are loaded once, keys for a block and queries for a tile; then its terms are added.
class ScoreTerms {
 public:
  // `scale` and log2(e) are in the scores that terms are added to.
  ScoreTerms(const AttentionSpec& spec, int64_t dim, int64_t value_dim, int64_t tile_queries, int64_t keys);
  bool any() const { return spec_.terms.any(); }
  bool values() const { return spec_.terms.value_table.defined(); }

  void load(const HeadRange& range, const DistanceRange& distances);
  const DistanceRange& distances() const { return distances_; }
  void load_queries(const tiles::RowSource& x, int64_t rows);  // a tile's, not scaled
  void load_keys(const tiles::RowSource& x, int64_t rows);     // a block's, at most `keys`

  // scores += terms, of the loaded queries and the first `keys` of the loaded keys, which begin at these tokens.
  void add(int64_t q0, int64_t queries, int64_t k0, int64_t keys, const tiles::Scores& scores);
  // c [queries, value_dim] += weights · the values' rows.
  void add_values(int64_t q0, int64_t queries, int64_t k0, int64_t keys, const tiles::Scores& weights, float* c,
                  int64_t c_stride);

 protected:
  // The window of numbers of a tile, and a matrix with a row for each query over that window, whose element of query i
  // and key j is at `at` + i · (stride − 1) + j.
  struct Window {
    int64_t first, width;
    float* matrix;
    int64_t stride;
    float* at;
  };
  Window window(int64_t q0, int64_t queries, int64_t k0, int64_t keys);
  // The same with a row for each key of a panel, over reversed numbers; the element is at `at` + j · (stride − 1) + i.
  Window key_window(int64_t q0, int64_t queries, int64_t k0, int64_t keys);
  // A window's matrix: zeros, with a tile's numbers in their places.
  void spread(const Window& window, const tiles::Scores& x, int64_t queries, int64_t keys);
  const float* ones() const { return ones_.data(); }

  const AttentionSpec& spec_;
  int64_t dim_, value_dim_, dim_stride_, value_stride_;
  DistanceRange distances_;
  TermTable queries_table_, keys_table_, values_table_;
  std::vector<float> bias_;
  Buffer queries_, keys_, products_, transposed_, ones_;
};

// The gradients of one task's tables: of the distances of its queries and keys. Those of all tasks are kept until they
// are added up, about as many numbers a table as twice the queries' gradients.
struct TermGradients {
  DistanceRange distances;
  int64_t head = 0, dim = 0, value_dim = 0;
  Tensor bias, query_table, key_table, value_table;  // [1, count], [count, dim], the same reversed, [count, value_dim]
};

class ScoreTermsBackward : public ScoreTerms {
 public:
  ScoreTermsBackward(const AttentionSpec& spec, const RelativeTerms& dterms, int64_t dim, int64_t value_dim,
                     int64_t tile_queries, int64_t keys);

  // Zeros of what dterms asks for.
  TermGradients make_gradients(const HeadRange& range, const DistanceRange& distances) const;
  void load_douts(const tiles::RowSource& x, int64_t rows);  // a tile's
  void clear_keys(int64_t rows);                             // a block's gradients

  // dweights += douts · the values' rows.
  void add_dweights(int64_t q0, int64_t queries, int64_t k0, int64_t keys, const tiles::Scores& dweights);
  void add_value_gradients(int64_t q0, int64_t queries, int64_t k0, int64_t keys, const tiles::Scores& weights,
                           TermGradients& gradients);
  // From the gradients of the scores: adds to those of tables and, in these units, of queries and keys:
  // dq += scale · …, of keys the sums are kept.
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
