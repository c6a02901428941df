// The best validation of a run: which of them wins, and when a run without progress ends early.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/json.h"
#include "training/objective.h"

namespace roformer {

struct BestOptions {
  std::string metric = "loss";  // of metric_of()
  bool higher = false;          // is better
  int64_t patience = 0;         // validations without a better one that end the run; 0: none do
};

struct BestValidation {
  int64_t step = 0;
  Evaluation evaluation;
};

// The validations of a run so far.
struct BestSoFar {
  std::optional<BestValidation> best = {};  // the earliest among equals
  int64_t since = 0;                        // validations after it

  // Whether it is better than all before. A value that is not finite never is.
  bool add(const BestOptions& options, int64_t step, const Evaluation& evaluation);
  bool exhausted(const BestOptions& options) const { return options.patience > 0 && since >= options.patience; }
};

// "loss", "accuracy", "perplexity", "bits_per_character", or one of Evaluation::metrics by its name. DataError if the
// evaluation has none of that name.
double metric_of(const Evaluation& evaluation, const std::string& name);

Json to_json(const BestSoFar& best);
BestSoFar best_of(const JsonObject& json);

}  // namespace roformer
