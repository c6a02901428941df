#include "nn/decoding_state.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/error.h"

namespace roformer {

namespace {

// A copy of the same capacity.
Tensor copied(Backend& backend, const Tensor& rows, int64_t rows_used) {
  if (!rows.defined()) return {};
  Tensor result = backend.empty(rows.shape());
  if (rows_used > 0) backend.copy(rows.row_range(0, rows_used), result.row_range(0, rows_used));
  return result;
}

// A copy of rows `which` of a tensor.
Tensor chosen_rows(Backend& backend, const Tensor& rows, std::span<const int32_t> which) {
  Shape shape{std::ssize(which)};
  for (int i = 1; i < rows.shape().rank(); ++i) shape.push_back(rows.dim(i));
  Tensor result = backend.empty(shape);
  for (size_t i = 0; i < which.size(); ++i) {
    backend.copy(rows.row_range(which[i], 1), result.row_range(static_cast<int64_t>(i), 1));
  }
  return result;
}

// Removes tokens first … first + count − 1 of `length`, of which a layer with a window may have forgotten some.
void forget_tokens(Backend& backend, KeyValueCache& layer, size_t s, int64_t first, int64_t count, int64_t length) {
  KeyValueCache::Sequence& sequence = layer.sequences[s];
  if (!sequence.keys.defined()) return;
  const bool taken_back = first + count == length;
  if (taken_back && sequence.forgotten > 0 && count > KeyValueCache::kSpare) {
    throw ShapeError("{} tokens are taken back of a window, expected at most {}", count, KeyValueCache::kSpare);
  }
  if (!taken_back) forget_before(backend, sequence, std::max<int64_t>(0, length - layer.window), length);
  // Of the tokens that are there, in rows:
  const int64_t forgotten = sequence.forgotten, begin = std::max<int64_t>(0, first - forgotten);
  const int64_t end = std::max<int64_t>(0, first + count - forgotten), rows = length - forgotten;
  for (const Tensor* memory : {&sequence.keys, &sequence.values}) {
    move_rows(backend, *memory, end, begin, rows - end);
  }
  sequence.forgotten -= std::clamp<int64_t>(forgotten - first, 0, count);
}

}  // namespace

DecodingState::DecodingState(int64_t sequences, int64_t capacity)
    : capacity_(capacity), lengths_(static_cast<size_t>(sequences)), positions_(static_cast<size_t>(sequences)) {}

int32_t DecodingState::next_position(int64_t sequence) const {
  const auto& positions = positions_[static_cast<size_t>(sequence)];
  return positions.empty() ? 0 : positions.back() + 1;
}

int64_t DecodingState::bytes() const {
  int64_t bytes = 0;
  for (const KeyValueCache& layer : layers_) {
    for (const KeyValueCache::Sequence& sequence : layer.sequences) {
      if (sequence.keys.defined()) bytes += sequence.keys.bytes() + sequence.values.bytes();
    }
    if (layer.linear.defined()) bytes += layer.linear.sums.bytes() + layer.linear.totals.bytes();
  }
  return bytes;
}

void DecodingState::select(Backend& backend, std::span<const int32_t> which) {
  std::vector<int64_t> lengths;
  std::vector<std::vector<int32_t>> positions;
  for (const int32_t s : which) {
    lengths.push_back(lengths_.at(static_cast<size_t>(s)));
    positions.push_back(positions_[static_cast<size_t>(s)]);
  }
  for (KeyValueCache& layer : layers_) {
    std::vector<KeyValueCache::Sequence> chosen;
    std::vector<bool> taken(layer.sequences.size());
    for (const int32_t s : which) {
      const auto at = static_cast<size_t>(s);
      const KeyValueCache::Sequence& from = layer.sequences[at];
      const bool again = taken[at];
      taken[at] = true;
      const int64_t rows = lengths_[at] - from.forgotten;
      chosen.push_back(again ? KeyValueCache::Sequence{copied(backend, from.keys, rows),
                                                       copied(backend, from.values, rows), from.forgotten}
                             : from);
    }
    layer.sequences = std::move(chosen);
    if (layer.linear.defined()) {
      layer.linear = {chosen_rows(backend, layer.linear.sums, which), chosen_rows(backend, layer.linear.totals, which)};
    }
  }
  lengths_ = std::move(lengths);
  positions_ = std::move(positions);
  if (!has_memory()) return;
  std::vector<int32_t> of;
  for (const int32_t s : which) of.push_back(memory_.of[static_cast<size_t>(s)]);
  if (!std::ranges::is_sorted(of)) throw ShapeError("the sequences of a memory are to be next to each other");
  memory_.of = std::move(of);
}

void DecodingState::begin_memory(Indices offsets, int64_t layers) {
  if (std::ssize(offsets) != sequences() + 1) {
    throw ShapeError("{} memories for {} sequences", std::ssize(offsets) - 1, sequences());
  }
  memory_ = {std::vector<Tensor>(static_cast<size_t>(layers)), std::move(offsets), {}};
  for (int32_t s = 0; s < static_cast<int32_t>(sequences()); ++s) memory_.of.push_back(s);
}

std::vector<int32_t> DecodingState::memory_rows(std::span<const int32_t> offsets) const {
  std::vector<int32_t> rows(memory_.offsets.size());
  for (size_t s = 0; s < memory_.of.size(); ++s) rows[static_cast<size_t>(memory_.of[s]) + 1] = offsets[s + 1];
  for (size_t m = 1; m < rows.size(); ++m) rows[m] = std::max(rows[m], rows[m - 1]);
  return rows;
}

void DecodingState::forget(Backend& backend, int64_t sequence, int64_t first, int64_t count) {
  const auto s = static_cast<size_t>(sequence);
  if (first < 0 || count < 0 || first + count > lengths_[s]) {
    throw ShapeError("cannot remove tokens {} to {} of {}", first, first + count, lengths_[s]);
  }
  if (count == 0) return;
  for (KeyValueCache& layer : layers_) forget_tokens(backend, layer, s, first, count, lengths_[s]);
  positions_[s].erase(positions_[s].begin() + first, positions_[s].begin() + first + count);
  lengths_[s] -= count;
}

void DecodingState::move(Backend& backend, int64_t sequence, std::span<const int32_t> to, const KeyRotation& rotation) {
  const auto s = static_cast<size_t>(sequence);
  if (std::ssize(to) != lengths_[s]) throw ShapeError("{} positions for {} cached tokens", to.size(), lengths_[s]);
  if (!rotation.rotations.empty() && lengths_[s] > 0) {
    const bool one = rotation.rotations.size() == 1;
    std::optional<RotaryAngles> angles;
    int64_t angles_from = 0;  // the first token that they are of
    for (size_t i = 0; i < layers_.size(); ++i) {
      const auto& [keys, values, forgotten] = layers_[i].sequences[s];
      if (!keys.defined() || forgotten == lengths_[s]) continue;
      if (!one || !angles || forgotten != angles_from) {
        const auto first = static_cast<size_t>(forgotten);
        angles = backend.rerotation_angles(rotation.rotations.at(one ? 0 : i), std::span(positions_[s]).subspan(first),
                                           to.subspan(first));
        angles_from = forgotten;
      }
      const int64_t rows = lengths_[s] - forgotten;
      backend.rotate(keys.row_range(0, rows), rotation.heads, *angles, false);
      if (rotation.values) backend.rotate(values.row_range(0, rows), rotation.heads, *angles, false);
    }
  }
  positions_[s].assign(to.begin(), to.end());
}

std::vector<KeyValueCache>& DecodingState::layers(int64_t count) {
  if (layers_.empty()) {
    layers_.resize(static_cast<size_t>(count));
    for (KeyValueCache& layer : layers_) layer.sequences.resize(positions_.size());
  }
  if (std::ssize(layers_) != count) throw ShapeError("a state of {} layers for a model of {}", layers_.size(), count);
  return layers_;
}

void DecodingState::add(std::span<const int32_t> positions, std::span<const int32_t> offsets) {
  for (size_t s = 0; s < positions_.size(); ++s) {
    const auto fresh =
        positions.subspan(static_cast<size_t>(offsets[s]), static_cast<size_t>(offsets[s + 1] - offsets[s]));
    positions_[s].insert(positions_[s].end(), fresh.begin(), fresh.end());
    lengths_[s] += std::ssize(fresh);
  }
}

}  // namespace roformer
