// The order in which training visits sequences: an endless stream in which every epoch is a permutation of its own.
// A pure function of (stream, count, position), so a resumed run needs to know its position only.
#pragma once

#include <cstdint>
#include <vector>

#include "base/random.h"

namespace roformer {

// The permutation of [0, count) of one epoch: Fisher-Yates with the numbers of substream(stream, epoch).
std::vector<int64_t> epoch_order(RandomStream stream, int64_t count, int64_t epoch);

// Keeps the permutation of the epoch last asked for. Not for use from several threads at once.
class SequenceOrder {
 public:
  SequenceOrder(RandomStream stream, int64_t count);  // UsageError unless count > 0

  // The sequence at `position` >= 0 of the stream; its epoch is position / count.
  int64_t at(int64_t position);
  int64_t count() const { return count_; }

 private:
  RandomStream stream_;
  int64_t count_;
  int64_t epoch_ = -1;
  std::vector<int64_t> order_;
};

}  // namespace roformer
