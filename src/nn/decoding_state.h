// DecodingState: what a model keeps of sequences that it continues, one token after another, owned by whoever decodes.
// TransformerStack::forward adds the tokens of a batch to it. A value a sequence and layer, so that any batch of
// sequences can be chosen anew (finished ones leave, beams are copied).
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "ops/key_value_cache.h"
#include "position/rerotation.h"

namespace roformer {

class DecodingState {
 public:
  // Nothing of `sequences` sequences, which may grow to `most` tokens each.
  explicit DecodingState(int64_t sequences, int64_t capacity = std::numeric_limits<int32_t>::max());

  DecodingState(DecodingState&&) = default;
  DecodingState& operator=(DecodingState&&) = default;

  int64_t sequences() const { return std::ssize(positions_); }
  int64_t tokens(int64_t sequence) const { return lengths_[static_cast<size_t>(sequence)]; }
  int64_t capacity() const { return capacity_; }
  std::span<const int64_t> lengths() const { return lengths_; }  // tokens of each sequence
  std::span<const int32_t> positions(int64_t sequence) const { return positions_[static_cast<size_t>(sequence)]; }
  // Where the next token of a sequence goes: the last one's position + 1.
  int32_t next_position(int64_t sequence) const;
  int64_t bytes() const;  // of the memory taken

  // Sequence i becomes what sequence which[i] is; several may be copies of one, and one not named is forgotten.
  void select(Backend& backend, std::span<const int32_t> which);

  // Forgets the tokens first … first + count − 1 of a sequence; those behind it move down.
  void forget(Backend& backend, int64_t sequence, int64_t first, int64_t count);
  // Moves the tokens of a sequence to other positions: keys, of so many heads, are rotated, and so are values if they
  // are rotated as keys are. One rotation for all layers, or one for each; none: keys are not rotated.
  struct KeyRotation {
    std::vector<Rerotation> rotations = {};
    int64_t heads = 1;
    bool values = false;
  };
  void move(Backend& backend, int64_t sequence, std::span<const int32_t> to, const KeyRotation& turn);

  // For the model: its layers' caches, made at the first call; and the positions of tokens that all layers have kept.
  std::vector<KeyValueCache>& layers(int64_t count);
  void add(std::span<const int32_t> positions, std::span<const int32_t> offsets);

 private:
  int64_t capacity_;
  std::vector<int64_t> lengths_;
  std::vector<std::vector<int32_t>> positions_;
  std::vector<KeyValueCache> layers_;
};

}  // namespace roformer
