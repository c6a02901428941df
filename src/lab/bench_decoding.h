// Speed of decoding on this machine, and how near that is to what its memory allows (cli.md, `bench --mode decoding`).
#pragma once

#include <cstdint>
#include <vector>

#include "models/model.h"

namespace roformer {

struct DecodingBenchOptions {
  std::vector<int64_t> batches{1, 2, 4, 8};  // texts at a time
  int64_t prompt = 16;                       // tokens each text begins with, random ones,
  int64_t tokens = 16;                       // and is continued by, greedily, before it begins anew
  double seconds = 3;                        // measure at least that long,
  int64_t passes = 5;                        // and at least so many steps of each batch
  bool profile = false;
};

struct DecodingSpeed {
  int64_t batch;
  double seconds;            // of the median step: a pass of one token a text, and the choice of the next
  double tokens_per_second;  // of all texts together, at that
  double share;              // of the steps a second that reading the weights once for each allows; 0: not known
  int64_t steps;
  double measured;  // seconds of all steps
  Profile::Entries profile;
};

struct DecodingBenchResult {
  std::vector<DecodingSpeed> speeds;  // of each batch
  double bandwidth = 0;               // bytes a second, median; 0: the backend does not measure it
  int64_t weight_bytes = 0;           // what a step reads of the weights at least
  int64_t held_bytes = 0;             // that the weights take (Model::weight_bytes)
  int64_t peak_memory = 0;            // bytes: largest resident size of this process so far; 0 = not known
};

// Batches take turns of `tokens` steps, and between them an array larger than any cache is read by all threads.
// UsageError for a model whose tokens see those behind them, DataError for one without a head.
DecodingBenchResult bench_decoding(const Model& model, const DecodingBenchOptions& options);

}  // namespace roformer
