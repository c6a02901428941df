// Speed of a model, or of one kernel, on this machine (cli.md, `bench`).
#pragma once

#include <cstdint>
#include <vector>

#include "models/model.h"

namespace roformer {

struct BenchOptions {
  std::vector<int64_t> lengths{128};           // the packed sequences of one pass, of random ids,
  std::vector<std::vector<int32_t>> ids = {};  // or these, unless empty
  bool training = false;       // forward, backward, clipping and AdamW; else the forward to the last hidden state
  double label_share = 0.15;   // of the tokens have a label in training: every k-th, of its own id
  double seconds = 3;          // measure at least that long,
  int64_t passes = 5;          // and at least so many passes, after one to warm up
  Profile* profile = nullptr;  // gets the times of the kernels of these passes
};

struct BenchResult {
  double tokens_per_second = 0;  // of the median pass
  double gflops = 0;             // operations of the matrix products and attention / time
  int64_t weight_bytes = 0;      // that the weights take (Model::weight_bytes)
  int64_t peak_memory = 0;       // bytes: largest resident size of this process so far; 0 = not known
  int64_t passes = 0;
  double measured = 0;    // seconds of all passes after the one to warm up
  double first_pass = 0;  // seconds of the one to warm up, which reads weights that are still in the file
  double first_loss = 0, last_loss = 0;  // training: of the pass to warm up and of the last one, in nats a label
};

// The model must be trainable for training. Weights change in training.
BenchResult bench(Model& model, const BenchOptions& options);

}  // namespace roformer
