// Weights of a rotary model for the other layout of pairs (position/rotary.h), without loss: the elements of a head
// that make a pair move to where the other layout has them, in everything that makes or meets them, so scores stay as
// they were. What permutes is a copy of numbers: there and back gives the same bits.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "formats/state_dict.h"
#include "models/config.h"

namespace roformer {

// A weight [heads·n, columns] or bias [heads·n] of a projection to heads of n = permutation.size() elements: row j of
// every head becomes what its row permutation[j] was. Any number of heads, so the fewer keys of grouped attention, too.
// ShapeError, naming `name`, unless the rows are whole heads.
Tensor permute_head_rows(const Tensor& weight, std::span<const int64_t> permutation, const std::string& name);
// The same for a weight [rows, heads·n] that reads heads: its columns.
Tensor permute_head_columns(const Tensor& weight, std::span<const int64_t> permutation, const std::string& name);

struct RelaidWeights {
  StateDict weights;     // all of them; those untouched share their memory
  int64_t permuted = 0;  // how many tensors are new
  ModelConfig config;    // of the new layout
};

// `weights` under this project's names, those of the model that `config` describes. Permuted are the queries and keys
// of self-attention; where values are rotated, these and the columns of the output projection; of cross-attention whose
// queries are rotated, queries and keys (the keys are not rotated, but meet the queries' elements). UsageError if the
// model's positions are not rotary.
RelaidWeights relay_rotary(const StateDict& weights, const ModelConfig& config, RotaryLayout to);

}  // namespace roformer
