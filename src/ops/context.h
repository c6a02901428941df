// Context: everything an operator needs beside its inputs, passed explicitly as the first argument; there are no
// globals.
#pragma once

#include <stop_token>

#include "backend/backend.h"
#include "base/random.h"
#include "base/stop.h"
#include "tensor/tape.h"

namespace roformer {

// Observes the inputs of each softmax attention of a forward pass, in the order in which the model computes them.
// Read-only.
class AttentionObserver {
 public:
  virtual ~AttentionObserver() = default;
  // q and k are rotated already. The tensors are valid only during the call.
  virtual void observe(const AttentionSpec& spec, const AttentionTensors& in) = 0;
};

struct Context {
  Backend& backend;
  Tape* tape = nullptr;                   // null: inference, nothing is recorded
  RandomStream random = {};               // of this step and micro-batch; each dropout site derives its own
  bool training = false;                  // dropout is active only in training
  AttentionObserver* observer = nullptr;  // called from the thread of the forward pass
  int64_t step = 0;                       // of training, starting at 1
  std::stop_token stop = {};              // checked by a model's forward pass between layers
  // With a tape: layers keep only their input for the backward pass, which computes them again (Chen et al. 2016). The
  // same bits in less memory.
  bool checkpointing = false;

  // Throws Interrupted if a stop was requested. A decoding state that the pass was extending is then unusable.
  void check_stop() const { throw_if_stopped(stop); }

  // Dropout at one site, e.g. layer 3's attention weights. Sites are numbered by the model.
  Dropout dropout(double probability, uint64_t site) const {
    if (!training || probability <= 0) return {};
    return {probability, substream(random, site)};
  }
};

}  // namespace roformer
