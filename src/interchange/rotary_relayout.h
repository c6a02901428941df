// Lossless conversion of a rotary model's weights to the other layout of pairs (position/rotary.h): the elements of
// each head are permuted in all weights that produce or consume them, which leaves attention scores unchanged. A round
// trip gives the same bits.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "formats/state_dict.h"
#include "models/config.h"

namespace roformer {

// Permutes a weight [heads·n, columns] or bias [heads·n] of a projection to heads of n = permutation.size() elements:
// row j of every head is taken from its row permutation[j]. Any number of heads, as for grouped-query attention.
// ShapeError, naming `name`, unless the rows are whole heads.
Tensor permute_head_rows(const Tensor& weight, std::span<const int64_t> permutation, const std::string& name);
// The same for the columns of a weight [rows, heads·n] applied to heads.
Tensor permute_head_columns(const Tensor& weight, std::span<const int64_t> permutation, const std::string& name);

struct RelaidWeights {
  StateDict weights;     // all weights; unchanged ones share memory with the input
  int64_t permuted = 0;  // number of permuted tensors
  ModelConfig config;    // with the new layout
};

// `weights` are those of a model of `config` under canonical names. Permutes queries and keys of self-attention; with
// rotary values also the values and the columns of the output projection; and queries and keys of cross-attention (its
// keys are not rotated, but multiplied with the queries). UsageError unless the model's positions are rotary.
RelaidWeights relay_rotary(const StateDict& weights, const ModelConfig& config, RotaryLayout to);

}  // namespace roformer
