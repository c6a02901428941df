// A grid of trainings that differ only in their position encoding, kind of attention and seed, each an ordinary
// training directory (training/pretrain.h), and what the finished models do on texts of other lengths.
#pragma once

#include <string>
#include <vector>

#include "backend/backend.h"
#include "lab/grid_results.h"
#include "training/pretrain.h"

namespace roformer {

struct CompareOptions {
  PretrainOptions training;  // of every run but for position, seed and output; `output` is the grid's directory
  std::vector<std::string> positions;
  std::vector<std::string> attentions;  // each with each encoding (grid_variant.h); empty: the preset's
  int64_t seeds = 3;                    // from training.seed on
  std::vector<int64_t> lengths;         // to evaluate at; empty: 1, 2, 4 and 8 times the training's
  int64_t jobs = 1;                     // trainings side by side; the results are the same bits
  std::string device = "cpu";
  int64_t threads = 0;  // of all jobs together; 0 = one for each CPU that may be used
  Precision precision = Precision::float32;
};

// Trains what is not finished, one seed after the other, evaluates, and writes the report. Every run checks for itself
// that its directory was started with the same settings. When a run fails, those beside it go on to their end, no other
// is begun, and its error is thrown.
// UsageError before anything is trained for an unknown or repeated encoding or kind of attention, and for lengths
// without validation data; otherwise the errors of pretrain(). Interrupted after all running ones are saved.
Grid compare(const CompareOptions& options);

}  // namespace roformer
