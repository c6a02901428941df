// A grid of trainings that differ in their position encoding, kind of attention, other settings and seed, each an
// ordinary training directory (training/pretrain.h), and the evaluation of finished models at other sequence lengths.
#pragma once

#include <string>
#include <vector>

#include "backend/backend.h"
#include "lab/grid_results.h"
#include "training/pretrain.h"

namespace roformer {

struct CompareOptions {
  // Of every run except what varies; `output` is the grid's directory; `confirm` is called once, for a new grid, with
  // the estimated time of all trainings.
  PretrainOptions training;
  std::vector<std::string> positions;   // encodings to compare; may be empty where something else varies
  std::vector<std::string> attentions;  // each with each encoding (grid_variant.h); empty: the preset's
  std::vector<std::string> sweeps;      // "learning-rate=1e-3,2e-3" (varied_settings.h): each value with all of these
  std::vector<std::string> variants;  // "name=wide hidden-size=512": additional ones, beside the product of the others
  std::string reference;              // of these variants, the one that others are compared with; empty: the first
  int64_t seeds = 3;                  // from training.seed on
  std::vector<int64_t> lengths;       // to evaluate at; empty: 1, 2, 4 and 8 times the training's
  int64_t jobs = 1;                   // concurrent trainings; the results are bit-identical
  std::string device = "cpu";
  int64_t threads = 0;  // of all jobs together; 0 = one for each CPU that may be used
  Precision precision = Precision::float32;
};

// Trains what is not finished, one seed after the other, evaluates, and writes the report. Every run checks for itself
// that its directory was started with the same settings. When a run fails, those beside it finish, no other is
// started, and its error is thrown.
// UsageError before anything is trained for settings that do not exist or are incompatible, and for lengths without
// validation data; otherwise the errors of pretrain(). Interrupted after all running trainings are saved.
Grid compare(const CompareOptions& options);

}  // namespace roformer
