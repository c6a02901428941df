#include "data/sequence_order.h"

#include <numeric>
#include <utility>

#include "base/error.h"

namespace roformer {

std::vector<int64_t> epoch_order(RandomStream stream, int64_t count, int64_t epoch) {
  std::vector<int64_t> order(static_cast<size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  Generator generator(substream(stream, static_cast<uint64_t>(epoch)));
  for (size_t left = order.size(); left > 1; --left) std::swap(order[left - 1], order[generator.below(left)]);
  return order;
}

SequenceOrder::SequenceOrder(RandomStream stream, int64_t count) : stream_(stream), count_(count) {
  if (count < 1) throw UsageError("no sequences to train on");
}

int64_t SequenceOrder::at(int64_t position) {
  if (position < 0) throw UsageError("position {} in the training data is negative", position);
  const int64_t epoch = position / count_;
  if (epoch != epoch_) {
    order_ = epoch_order(stream_, count_, epoch);
    epoch_ = epoch;
  }
  return order_[static_cast<size_t>(position % count_)];
}

}  // namespace roformer
