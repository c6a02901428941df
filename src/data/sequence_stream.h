// An endless stream of a corpus's training sequences: each sequence once per epoch, in a new random order.
// An epoch permutes the blocks, groups them into windows, and shuffles the sequences of each window. A text of one
// window is thus fully shuffled; a larger one needs the memory of two windows, because a background thread tokenizes
// the next window during training. The order is a function of the random stream and the text, independent of the number
// of threads.
#pragma once

#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <span>
#include <stop_token>
#include <vector>

#include "base/parallel.h"
#include "base/random.h"
#include "data/corpus.h"

namespace roformer {

// A random permutation of [0, count), by Fisher-Yates.
std::vector<int64_t> permutation(RandomStream stream, int64_t count);

class SequenceStream {
 public:
  static constexpr int64_t kWindowBlocks = 8;

  // The data position: the next sequence is number `offset` of window `window` of epoch `epoch`.
  struct Cursor {
    int64_t epoch = 0, window = 0, offset = 0;
    bool operator==(const Cursor&) const = default;
  };

  // Skips the sequences of `held_out`, a list of indices per block. `threads` tokenize ahead, 0 = one per CPU. `corpus`
  // must outlive the stream.
  SequenceStream(const Corpus& corpus, std::vector<std::vector<int64_t>> held_out, RandomStream random, int threads,
                 int64_t window_blocks = kWindowBlocks);
  ~SequenceStream();  // cancels and joins the tokenizing thread
  SequenceStream(const SequenceStream&) = delete;
  SequenceStream& operator=(const SequenceStream&) = delete;

  // The next sequence, valid until the next call. DataError if no block has a sequence to train on; errors of reading
  // the text.
  std::span<const int32_t> next();

  Cursor cursor() const { return cursor_; }
  // Continues from a cursor() of the same corpus, held-out sequences and random stream. DataError if it is out of
  // range.
  void seek(Cursor cursor);

  // Total seconds that next() and seek() have waited for text.
  double waited() const { return waited_; }

  // All sequences of the current window in order; loads it if necessary.
  const std::vector<std::span<const int32_t>>& window();
  // The number of sequences per epoch; tokenizes the whole text.
  int64_t count_sequences();

 private:
  struct Window {
    std::vector<std::shared_ptr<const PackedSequences>> blocks;  // memory of the sequences
    std::vector<std::span<const int32_t>> sequences;
  };
  int64_t windows() const { return ceil_div(corpus_.blocks(), window_blocks_); }
  Cursor after(Cursor cursor) const;  // the start of the next window
  Window make(int64_t epoch, int64_t window);
  void start_next();
  void enter(Cursor cursor);

  const Corpus& corpus_;
  std::vector<std::vector<int64_t>> held_out_;
  RandomStream random_;
  int64_t window_blocks_;
  ThreadPool pool_;
  std::stop_source cancel_;
  std::stop_callback<std::function<void()>> cancel_with_corpus_;
  Cursor cursor_;
  std::unique_ptr<Window> current_;
  Cursor next_cursor_;        // the window that next_ computes
  std::future<Window> next_;  // declared after the members that its thread uses
  double waited_ = 0;
};

}  // namespace roformer
