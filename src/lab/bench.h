// Speed of a model, or of one kernel, on this machine (cli.md, `bench`).
#pragma once

#include <cstdint>
#include <vector>

#include "models/model.h"

namespace roformer {

struct BenchOptions {
  std::vector<int64_t> lengths{128};           // the packed sequences of one pass, of random ids,
  std::vector<std::vector<int32_t>> ids = {};  // or these, unless empty
  bool training = false;  // forward, backward, clipping and AdamW; else the forward pass to the last hidden state
  bool gradient_checkpointing = false;  // in training
  double label_share = 0.15;            // fraction of tokens with a label in training: every k-th, its own id
  double seconds = 3;                   // measure for at least this long,
  int64_t passes = 5;                   // and at least this many passes, after a warm-up pass
  Profile* profile = nullptr;           // receives the kernel times of these passes
};

struct BenchResult {
  double tokens_per_second = 0;  // of the median pass
  double gflops = 0;             // operations of the matrix products and attention / time
  int64_t weight_bytes = 0;      // size of the weights (Model::weight_bytes)
  int64_t peak_memory = 0;       // bytes: largest resident size of this process so far; 0 = not known
  int64_t passes = 0;
  double measured = 0;                   // seconds of all passes after the warm-up
  double first_pass = 0;                 // seconds of the warm-up pass, which also reads the weights from the file
  double first_loss = 0, last_loss = 0;  // training: of the warm-up and the last pass, in nats per predicted token
};

// The model must be trainable for training. Weights change in training.
BenchResult bench(Model& model, const BenchOptions& options);

}  // namespace roformer
