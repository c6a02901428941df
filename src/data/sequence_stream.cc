#include "data/sequence_stream.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/clock.h"
#include "base/error.h"

namespace roformer {

std::vector<int64_t> permutation(RandomStream stream, int64_t count) {
  std::vector<int64_t> order(static_cast<size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  Generator generator(stream);
  for (size_t left = order.size(); left > 1; --left) std::swap(order[left - 1], order[generator.below(left)]);
  return order;
}

SequenceStream::SequenceStream(const Corpus& corpus, std::vector<std::vector<int64_t>> held_out, RandomStream random,
                               int threads, int64_t window_blocks)
    : corpus_(corpus),
      held_out_(std::move(held_out)),
      random_(random),
      window_blocks_(window_blocks),
      pool_(threads),
      cancel_with_corpus_(corpus.stop_token(), [this] { cancel_.request_stop(); }) {}

SequenceStream::~SequenceStream() {
  cancel_.request_stop();
  if (next_.valid()) next_.wait();
}

SequenceStream::Cursor SequenceStream::after(Cursor cursor) const {
  const bool last = cursor.window + 1 == windows();
  return {cursor.epoch + (last ? 1 : 0), last ? 0 : cursor.window + 1, 0};
}

SequenceStream::Window SequenceStream::make(int64_t epoch, int64_t window) {
  const RandomStream of_epoch = substream(random_, static_cast<uint64_t>(epoch));
  constexpr uint64_t kBlockOrder = ~uint64_t{0};
  const auto order = permutation(substream(of_epoch, kBlockOrder), corpus_.blocks());
  const int64_t end = std::min(corpus_.blocks(), (window + 1) * window_blocks_);
  std::vector<int64_t> blocks(order.begin() + window * window_blocks_, order.begin() + end);
  std::sort(blocks.begin(), blocks.end());
  Window result;
  std::vector<std::span<const int32_t>> in_order;
  for (const int64_t block : blocks) {
    result.blocks.push_back(corpus_.load(block, pool_, cancel_.get_token()));
    const PackedSequences& sequences = *result.blocks.back();
    const std::vector<int64_t>& out = held_out_[static_cast<size_t>(block)];
    for (int64_t i = 0; i < sequences.size(); ++i) {
      if (!std::binary_search(out.begin(), out.end(), i)) in_order.push_back(sequences.sequence(i));
    }
  }
  const RandomStream shuffle = window == 0 ? of_epoch : substream(of_epoch, static_cast<uint64_t>(window));
  result.sequences.reserve(in_order.size());
  for (const int64_t i : permutation(shuffle, std::ssize(in_order))) {
    result.sequences.push_back(in_order[static_cast<size_t>(i)]);
  }
  return result;
}

// A text of one window is all in memory and is reshuffled on demand.
void SequenceStream::start_next() {
  if (windows() == 1) return;
  next_cursor_ = after(cursor_);
  next_ = std::async(std::launch::async, [this, cursor = next_cursor_] { return make(cursor.epoch, cursor.window); });
}

void SequenceStream::enter(Cursor cursor) {
  const double begin = now_seconds();
  Window window;
  if (next_.valid()) {
    window = next_.get();
    if (next_cursor_ != Cursor{cursor.epoch, cursor.window, 0}) window = make(cursor.epoch, cursor.window);
  } else {
    window = make(cursor.epoch, cursor.window);
  }
  current_ = std::make_unique<Window>(std::move(window));
  cursor_ = cursor;
  start_next();
  waited_ += now_seconds() - begin;
}

std::span<const int32_t> SequenceStream::next() {
  if (!current_) enter(cursor_);
  for (int64_t empty = 0; cursor_.offset == std::ssize(current_->sequences); ++empty) {
    if (empty > windows()) throw DataError("{}: no sequence to train on", FilePath(corpus_.name()));
    enter(after(cursor_));
  }
  return current_->sequences[static_cast<size_t>(cursor_.offset++)];
}

void SequenceStream::seek(Cursor cursor) {
  const bool possible = cursor.epoch >= 0 && cursor.window >= 0 && cursor.window < windows() && cursor.offset >= 0;
  if (possible) enter(cursor);
  if (!possible || cursor.offset > std::ssize(current_->sequences)) {
    throw DataError("{}: has no sequence {} in window {} of epoch {}", FilePath(corpus_.name()), cursor.offset,
                    cursor.window, cursor.epoch);
  }
}

const std::vector<std::span<const int32_t>>& SequenceStream::window() {
  if (!current_) enter(cursor_);
  return current_->sequences;
}

int64_t SequenceStream::count_sequences() {
  int64_t count = 0;
  for (int64_t block = 0; block < corpus_.blocks(); ++block) {
    count += corpus_.load(block, pool_)->size() - std::ssize(held_out_[static_cast<size_t>(block)]);
  }
  return count;
}

}  // namespace roformer
