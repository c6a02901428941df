// The training sequences of a corpus, endlessly, every epoch in an order of its own: each sequence once an epoch.
// An epoch draws an order of the blocks, takes them in windows of a few blocks, and shuffles the sequences of each
// window. A text of one window is so shuffled as a whole; a larger one needs the memory of two windows, because while
// one is trained on, a thread of its own tokenizes the next. The order is a function of the random stream and the text;
// the number of threads that tokenize does not matter.
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

// A random order of [0, count), by Fisher-Yates with the numbers of the stream.
std::vector<int64_t> permutation(RandomStream stream, int64_t count);

class SequenceStream {
 public:
  static constexpr int64_t kWindowBlocks = 8;

  // Where the stream is: the next sequence is number `offset` of window `window` of epoch `epoch`.
  struct Cursor {
    int64_t epoch = 0, window = 0, offset = 0;
    bool operator==(const Cursor&) const = default;
  };

  // `numbers` of held-out sequences, one list a block, are left out. `threads` tokenize ahead, 0 = one for each CPU.
  // Points to the corpus, so it cannot be copied.
  SequenceStream(const Corpus& corpus, std::vector<std::vector<int64_t>> held_out, RandomStream random, int threads,
                 int64_t window_blocks = kWindowBlocks);
  ~SequenceStream();  // waits for the tokenizing thread, which stops soon
  SequenceStream(const SequenceStream&) = delete;
  SequenceStream& operator=(const SequenceStream&) = delete;

  // The next sequence, valid until the call after. DataError when no block has a sequence to train on, or what reading
  // the text throws.
  std::span<const int32_t> next();

  Cursor cursor() const { return cursor_; }
  // Goes on from a place that cursor() gave for the same corpus, held-out sequences and random stream. DataError when
  // there is no such place.
  void seek(Cursor place);

  // Seconds that next() and seek() have waited for text in all.
  double waited() const { return waited_; }

  // All sequences of the window in use, in their order; makes it if need be.
  const std::vector<std::span<const int32_t>>& window();
  // The sequences an epoch has; tokenizes the whole text.
  int64_t count_sequences();

 private:
  struct Window {
    std::vector<std::shared_ptr<const PackedSequences>> blocks;  // what the sequences point into
    std::vector<std::span<const int32_t>> sequences;
  };
  int64_t windows() const { return ceil_div(corpus_.blocks(), window_blocks_); }
  Cursor after(Cursor place) const;  // the start of the next window
  Window make(int64_t epoch, int64_t window);
  void start_next();
  void enter(Cursor place);

  const Corpus& corpus_;
  std::vector<std::vector<int64_t>> held_out_;
  RandomStream random_;
  int64_t window_blocks_;
  ThreadPool pool_;
  std::stop_source cancel_;
  std::stop_callback<std::function<void()>> cancel_with_corpus_;
  Cursor cursor_;
  std::unique_ptr<Window> current_;
  Cursor next_cursor_;        // which window next_ makes
  std::future<Window> next_;  // last but for waited_: its thread uses the others
  double waited_ = 0;
};

}  // namespace roformer
