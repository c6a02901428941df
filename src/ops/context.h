// Context: everything an operator needs beside its inputs, passed first and explicitly; there are no globals.
#pragma once

#include "backend/backend.h"
#include "base/random.h"
#include "tensor/tape.h"

namespace roformer {

struct Context {
  Backend& backend;
  Tape* tape = nullptr;      // null: inference, nothing is recorded
  RandomStream random = {};  // of this step and micro-batch; each place in the model derives its own
  bool training = false;     // dropout is active only in training

  // Dropout of one place in the model, e.g. layer 3's attention. Places are numbered by the model.
  Dropout dropout(double probability, uint64_t place) const {
    if (!training || probability <= 0) return {};
    return {probability, substream(random, place)};
  }
};

}  // namespace roformer
