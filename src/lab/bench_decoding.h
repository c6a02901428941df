// Speed of decoding on this machine, and its fraction of what the memory bandwidth allows (cli.md, `bench --mode
// decoding`).
#pragma once

#include <cstdint>
#include <vector>

#include "models/model.h"

namespace roformer {

struct DecodingBenchOptions {
  std::vector<int64_t> batches{1, 2, 4, 8};  // batch sizes
  int64_t prompt = 16;                       // random tokens of each prompt,
  int64_t tokens = 16;                       // generated greedily before starting again from the prompt
  double seconds = 3;                        // measure for at least this long,
  int64_t passes = 5;                        // and at least this many steps of each batch size
  bool profile = false;
};

struct DecodingSpeed {
  int64_t batch;
  double seconds;            // of the median step: a pass of one token per text, and the choice of the next
  double tokens_per_second;  // of all texts together, at that speed
  double share;              // of the steps per second if each only read the weights once; 0: unknown
  int64_t steps;
  double measured;  // seconds of all steps
  Profile::Entries profile;
};

struct DecodingBenchResult {
  std::vector<DecodingSpeed> speeds;  // of each batch
  double bandwidth = 0;               // bytes per second, median; 0: the backend does not measure it
  int64_t weight_bytes = 0;           // minimum that a step reads of the weights
  int64_t held_bytes = 0;             // size of the weights (Model::weight_bytes)
  int64_t peak_memory = 0;            // bytes: largest resident size of this process so far; 0 = not known
};

// Batches take turns of `tokens` steps, and between them an array larger than any cache is read by all threads.
// UsageError for a model that is not causal, DataError for one without a head.
DecodingBenchResult bench_decoding(const Model& model, const DecodingBenchOptions& options);

}  // namespace roformer
