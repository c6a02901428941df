// The scores of one attention, in double, from the inputs of the kernels, which never materialize them.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "backend/backend.h"

namespace roformer {

// Of a batch of one sequence. A copy of the backend's q and k; points to `spec`, so it cannot be copied.
class AttentionScores {
 public:
  AttentionScores(Backend& backend, const AttentionSpec& spec, const AttentionTensors& in);
  AttentionScores(const AttentionScores&) = delete;
  AttentionScores& operator=(const AttentionScores&) = delete;

  int64_t tokens() const { return tokens_; }  // keys
  int64_t heads() const { return spec_.heads; }
  double scale() const { return spec_.scale; }
  std::span<double> query(int64_t head, int64_t i) { return slice(queries_, head, i); }
  std::span<double> key(int64_t head, int64_t j) { return slice(keys_, head, j); }

  // The keys that query i attends to. For others at() is what the score would be.
  AttentionSpec::KeyRange seen(int64_t i) const { return spec_.visible_keys(i, tokens_); }
  // What the softmax gets for query i and key j: scale · q·k with the terms of RelativeTerms, capped.
  double at(int64_t head, int64_t i, int64_t j) const;

 private:
  std::span<double> slice(std::vector<double>& rows, int64_t head, int64_t row) const {
    return {rows.data() + row * width_ + head * head_width_, static_cast<size_t>(head_width_)};
  }
  std::span<const double> slice(const std::vector<double>& rows, int64_t head, int64_t row) const {
    return {rows.data() + row * width_ + head * head_width_, static_cast<size_t>(head_width_)};
  }
  // The slice of a head in a row of a table by distance, or the one that all heads share.
  std::span<const double> table_slice(const std::vector<double>& table, int64_t head, int64_t row) const;

  const AttentionSpec& spec_;
  std::vector<double> queries_, keys_, bias_, query_table_, key_table_;  // tables are empty where there is no term
  int64_t tokens_, width_, head_width_;
};

}  // namespace roformer
