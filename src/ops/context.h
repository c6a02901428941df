// Context: everything an operator needs beside its inputs, passed first and explicitly; there are no globals.
#pragma once

#include <stop_token>

#include "backend/backend.h"
#include "base/random.h"
#include "base/stop.h"
#include "tensor/tape.h"

namespace roformer {

// Sees what each softmax attention of a forward pass is given, in the order the model computes them: for looking at a
// model, not for changing it.
class AttentionObserver {
 public:
  virtual ~AttentionObserver() = default;
  // q and k are rotated already. The tensors hold these numbers only during the call.
  virtual void observe(const AttentionSpec& spec, const AttentionTensors& in) = 0;
};

struct Context {
  Backend& backend;
  Tape* tape = nullptr;                   // null: inference, nothing is recorded
  RandomStream random = {};               // of this step and micro-batch; each place in the model derives its own
  bool training = false;                  // dropout is active only in training
  AttentionObserver* observer = nullptr;  // called from the thread of the forward pass
  int64_t step = 0;                       // of training, from 1
  std::stop_token stop = {};              // a model's forward pass looks at it between its layers

  // Interrupted if a stop was requested. A decoding state that the pass was adding to is then of no further use.
  void check_stop() const { throw_if_stopped(stop); }

  // Dropout of one place in the model, e.g. layer 3's attention. Places are numbered by the model.
  Dropout dropout(double probability, uint64_t site) const {
    if (!training || probability <= 0) return {};
    return {probability, substream(random, site)};
  }
};

}  // namespace roformer
