// DecodingState: the key-value caches and positions of sequences that are decoded token by token, owned by the caller.
// TransformerStack::forward appends the tokens of a batch. Caches are per sequence and layer, so that sequences can be
// dropped or copied (beams) between passes.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "ops/indices.h"
#include "ops/key_value_cache.h"
#include "position/rerotation.h"

namespace roformer {

class DecodingState {
 public:
  // `sequences` empty sequences, of at most `capacity` tokens each.
  explicit DecodingState(int64_t sequences, int64_t capacity = std::numeric_limits<int32_t>::max());

  DecodingState(DecodingState&&) = default;
  DecodingState& operator=(DecodingState&&) = default;

  int64_t sequences() const { return std::ssize(positions_); }
  int64_t tokens(int64_t sequence) const { return lengths_[static_cast<size_t>(sequence)]; }
  int64_t capacity() const { return capacity_; }
  std::span<const int64_t> lengths() const { return lengths_; }  // tokens of each sequence
  std::span<const int32_t> positions(int64_t sequence) const { return positions_[static_cast<size_t>(sequence)]; }
  // The position of the next token: that of the last one + 1.
  int32_t next_position(int64_t sequence) const;
  int64_t bytes() const;  // of memory

  // Sequence i becomes a copy of sequence which[i]; sequences not named are dropped.
  void select(Backend& backend, std::span<const int32_t> which);

  // Removes the tokens first … first + count − 1 of a sequence; later tokens close the gap and retain their positions.
  // Layers with a window have forgotten tokens before it: a window does not reach back over a gap to tokens that were
  // out of it. Where such a layer has forgotten any, at most KeyValueCache::kSpare last tokens can be taken back.
  void forget(Backend& backend, int64_t sequence, int64_t first, int64_t count);
  // Moves the tokens of a sequence to other positions by rotating the cached keys, and values if they are rotated like
  // keys. `rotations`: one for all layers, or one per layer; none: keys are not rotated.
  struct KeyRotation {
    std::vector<Rerotation> rotations = {};
    int64_t heads = 1;
    bool values = false;
  };
  void move(Backend& backend, int64_t sequence, std::span<const int32_t> to, const KeyRotation& rotation);

  // Cross-attention: the keys and values of an encoder's hidden states, computed once. Several sequences may attend to
  // one memory (beams); they are next to each other, in the order of the memories.
  struct Memory {
    std::vector<Tensor> layers;  // [memory tokens, 2 · width] of each, keys and values
    Indices offsets;             // [memories + 1]
    std::vector<int32_t> of;     // the memory of each sequence
  };
  bool has_memory() const { return !memory_.layers.empty(); }
  Memory& memory() { return memory_; }
  // Sequence s attends to memory s; its layers are to be filled.
  void begin_memory(Indices offsets, int64_t layers);
  // [memories + 1]: the rows of a pass that attend to each memory, for `offsets` [sequences + 1] of its sequences.
  std::vector<int32_t> memory_rows(std::span<const int32_t> offsets) const;

  // For the model: the caches of its layers, created by the first call; and the positions of tokens that all layers
  // have cached.
  std::vector<KeyValueCache>& layers(int64_t count);
  void add(std::span<const int32_t> positions, std::span<const int32_t> offsets);

 private:
  int64_t capacity_;
  std::vector<int64_t> lengths_;
  std::vector<std::vector<int32_t>> positions_;
  std::vector<KeyValueCache> layers_;
  Memory memory_;
};

}  // namespace roformer
