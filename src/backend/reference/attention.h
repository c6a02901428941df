// Rotation of queries and keys, and softmax attention with relative terms, one row of scores at a time.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "backend/reference/reference.h"
#include "backend/reference/view.h"

namespace roformer {

template <class Real>
void ReferenceBackend<Real>::rotate(const Tensor& x, int64_t heads, const RotaryAngles& angles, bool transposed) {
  const View<Real> values(x), cosines(angles.cos), sines(angles.sin);
  const int64_t head_dim = values.columns() / heads;
  const Rotary rotary{.dim = angles.dim, .layout = angles.layout};
  for (int64_t t = 0; t < values.rows(); ++t) {
    for (int64_t head = 0; head < heads; ++head) {
      for (int64_t i = 0; i < angles.dim / 2; ++i) {
        const RotaryPair pair = rotary_pair(rotary, i);
        Real& x0 = values(t, head * head_dim + pair.first);
        Real& x1 = values(t, head * head_dim + pair.second);
        const Real cos = cosines(angles.row[t], i), sin = sines(angles.row[t], i);
        rotate_pair(x0, x1, cos, transposed ? -sin : sin);
      }
    }
  }
}

// The equation of an attention: score, dropout and value of query i and key j, both rows of the packed batch, with r =
// distance(i, j).
template <class Real>
struct AttentionEquation {
  const AttentionSpec& spec;
  View<Real> q, k, v, bias, query_table, key_table, value_table;
  int64_t head_dim, value_dim;  // per head; that of values may differ

  AttentionEquation(const AttentionSpec& attention, const AttentionTensors& in)
      : spec(attention),
        q(in.q),
        k(in.k),
        v(in.v),
        bias(attention.terms.bias),
        query_table(attention.terms.query_table),
        key_table(attention.terms.key_table),
        value_table(attention.terms.value_table),
        head_dim(q.columns() / attention.heads),
        value_dim(v.columns() / attention.key_heads()) {}

  // Row of the tables for this distance; 0 where there are none.
  int64_t distance(int64_t i, int64_t j) const {
    const RelativeTerms& terms = spec.terms;
    if (!terms.any()) return 0;
    const int64_t difference = int64_t{terms.key_positions[j]} - terms.query_positions[i];
    return std::clamp(difference, -terms.clip, terms.clip) + terms.clip;
  }

  // The capped score, and its derivative by the uncapped one.
  struct Score {
    double value, slope;
  };
  Score score(int64_t head, int64_t i, int64_t j, int64_t r) const {
    const double plain = uncapped(head, i, j, r), cap = spec.score_cap;
    if (cap == 0) return {plain, 1};
    const double share = std::tanh(plain / cap);
    return {cap * share, 1 - share * share};
  }

  double uncapped(int64_t head, int64_t i, int64_t j, int64_t r) const {
    double sum = 0;
    for (int64_t c = head * head_dim; c < (head + 1) * head_dim; ++c) {
      const double query = q(i, c), key = k(j, key_column(head, c, head_dim));
      sum += query * key;
      if (query_table.present()) sum += query * query_table(r, column_of(query_table, head, c, head_dim));
      if (key_table.present()) sum += key * key_table(r, column_of(key_table, head, c, head_dim));
    }
    return spec.scale * sum + (bias.present() ? static_cast<double>(bias(r, head)) : 0);
  }

  // The column of keys or values for column c of a query head.
  int64_t key_column(int64_t head, int64_t c, int64_t dim) const { return c + (spec.key_head(head) - head) * dim; }

  // Column c of a head in a table with a slice per head or a shared one.
  static int64_t column_of(const View<Real>& table, int64_t head, int64_t c, int64_t dim) {
    return table.columns() == dim ? c - head * dim : c;
  }

  double value(int64_t head, int64_t j, int64_t r, int64_t c) const {
    const double value = v(j, key_column(head, c, value_dim));
    if (!value_table.present()) return value;
    return value + static_cast<double>(value_table(r, column_of(value_table, head, c, value_dim)));
  }

  // The dropout factor of the weight of key j; `first_key` is the first of its sequence.
  double dropout_scale(int64_t head, int64_t i, int64_t j, int64_t first_key) const {
    return dropout_factor(spec.dropout, head * q.rows() + i, j - first_key);
  }

  // Calls body(head, query, first key of the sequence, first and end of the visible keys) for every query and head.
  template <class Body>
  void for_each_query(const Body& body) const {
    for (size_t s = 0; s + 1 < spec.query_offsets.size(); ++s) {
      for (int64_t head = 0; head < spec.heads; ++head) {
        for (int64_t i = spec.query_offsets[s]; i < spec.query_offsets[s + 1]; ++i) {
          const int64_t first_key = spec.key_offsets[s];
          const AttentionSpec::KeyRange seen = spec.visible_keys(i, spec.key_offsets[s + 1] - first_key);
          body(head, i, first_key, first_key + seen.first, first_key + seen.end);
        }
      }
    }
  }
};

// p_ij = exp(score_ij − log Σ_j exp score_ij);  out_i = Σ_j drop_ij · p_ij · (v_j + value_table_r)
template <class Real>
void ReferenceBackend<Real>::attention(const AttentionSpec& spec, const AttentionTensors& in, const Tensor& out,
                                       const Tensor& log_sum_exp) {
  const AttentionEquation<Real> equation(spec, in);
  const View<Real> y(out), logs(log_sum_exp);
  std::vector<double> scores, sums(equation.value_dim);
  equation.for_each_query([&](int64_t head, int64_t i, int64_t first_key, int64_t begin_key, int64_t end_key) {
    scores.clear();
    double largest = -std::numeric_limits<double>::infinity();
    for (int64_t j = begin_key; j < end_key; ++j) {
      scores.push_back(equation.score(head, i, j, equation.distance(i, j)).value);
      largest = std::max(largest, scores.back());
    }
    double total = 0;
    for (const double score : scores) total += std::exp(score - largest);
    const double log_total = largest + std::log(total);

    std::fill(sums.begin(), sums.end(), 0);
    for (int64_t j = begin_key; j < end_key; ++j) {
      const int64_t r = equation.distance(i, j);
      const double weight = std::exp(scores[j - begin_key] - log_total) * equation.dropout_scale(head, i, j, first_key);
      for (int64_t c = 0; c < equation.value_dim; ++c) {
        sums[c] += weight * equation.value(head, j, r, head * equation.value_dim + c);
      }
    }
    for (int64_t c = 0; c < equation.value_dim; ++c) y(i, head * equation.value_dim + c) = static_cast<Real>(sums[c]);
    logs(head, i) = static_cast<Real>(log_total);
  });
}

// Gradients of an attention, summed in double.
template <class Real>
struct AttentionGradients {
  using Start = typename Sum<Real>::Start;
  const AttentionEquation<Real>& equation;
  Sum<Real> dq, dk, dv, dbias, dquery_table, dkey_table, dvalue_table;

  AttentionGradients(const AttentionEquation<Real>& attention, const AttentionTensors& gradients,
                     const RelativeTerms& dterms)
      : equation(attention),
        dq(gradients.q, Start::zero),
        dk(gradients.k, Start::zero),
        dv(gradients.v, Start::zero),
        dbias(dterms.bias, Start::content),
        dquery_table(dterms.query_table, Start::content),
        dkey_table(dterms.key_table, Start::content),
        dvalue_table(dterms.value_table, Start::content) {}

  // out_i has the term weight · (v_j + value_table_r).
  void add_value(int64_t head, int64_t j, int64_t r, int64_t c, double weight, double dout) {
    dv(j, equation.key_column(head, c, equation.value_dim)) += weight * dout;
    if (!dvalue_table.present()) return;
    dvalue_table(r, equation.column_of(equation.value_table, head, c, equation.value_dim)) += weight * dout;
  }

  // score = scale · (q·k + q·query_table_r + k·key_table_r) + bias_r
  void add_score(int64_t head, int64_t i, int64_t j, int64_t r, double dscore) {
    const double dsum = equation.spec.scale * dscore;
    for (int64_t c = head * equation.head_dim; c < (head + 1) * equation.head_dim; ++c) {
      const int64_t key_column = equation.key_column(head, c, equation.head_dim);
      const double query = equation.q(i, c), key = equation.k(j, key_column);
      dq(i, c) += dsum * key;
      dk(j, key_column) += dsum * query;
      const int64_t of_query = equation.column_of(equation.query_table, head, c, equation.head_dim);
      const int64_t of_key = equation.column_of(equation.key_table, head, c, equation.head_dim);
      if (equation.query_table.present()) dq(i, c) += dsum * equation.query_table(r, of_query);
      if (equation.key_table.present()) dk(j, key_column) += dsum * equation.key_table(r, of_key);
      if (dquery_table.present()) dquery_table(r, of_query) += dsum * query;
      if (dkey_table.present()) dkey_table(r, of_key) += dsum * key;
    }
    if (dbias.present()) dbias(r, head) += dscore;
  }

  void store() {
    for (Sum<Real>* sum : {&dq, &dk, &dv, &dbias, &dquery_table, &dkey_table, &dvalue_table}) sum->store();
  }
};

// Through the softmax: dscore_ij = p_ij · (dp_ij − Σ_j p_ij · dp_ij), with dp_ij = drop_ij · dout_i·(v_j +
// value_table_r). Fast backends compute the inner sum as dout_i · out_i; the oracle uses its definition and needs no
// `out`.
template <class Real>
void ReferenceBackend<Real>::attention_backward(const AttentionSpec& spec, const AttentionTensors& in,
                                                const Tensor& /*out*/, const Tensor& log_sum_exp, const Tensor& dout,
                                                const AttentionTensors& gradients, const RelativeTerms& dterms) {
  const AttentionEquation<Real> equation(spec, in);
  const View<Real> logs(log_sum_exp), dy(dout);
  AttentionGradients<Real> sums(equation, gradients, dterms);
  std::vector<double> p, dp, slopes;
  equation.for_each_query([&](int64_t head, int64_t i, int64_t first_key, int64_t begin_key, int64_t end_key) {
    p.clear();
    dp.clear();
    slopes.clear();
    double inner = 0;
    for (int64_t j = begin_key; j < end_key; ++j) {
      const int64_t r = equation.distance(i, j);
      const auto score = equation.score(head, i, j, r);
      const double weight = std::exp(score.value - logs(head, i));
      const double dropout_scale = equation.dropout_scale(head, i, j, first_key);
      double dweight = 0;
      for (int64_t c = head * equation.value_dim; c < (head + 1) * equation.value_dim; ++c) {
        dweight += dropout_scale * dy(i, c) * equation.value(head, j, r, c);
        sums.add_value(head, j, r, c, dropout_scale * weight, dy(i, c));
      }
      p.push_back(weight);
      dp.push_back(dweight);
      slopes.push_back(score.slope);
      inner += weight * dweight;
    }
    for (int64_t j = begin_key; j < end_key; ++j) {
      const int64_t n = j - begin_key;
      sums.add_score(head, i, j, equation.distance(i, j), slopes[n] * p[n] * (dp[n] - inner));
    }
  });
  sums.store();
}

}  // namespace roformer
