// What the options of a pre-training come to: the model's config and the sizes, checked against each other.
#pragma once

#include <cstdint>

#include "models/config.h"
#include "text/tokenizer.h"
#include "training/pretrain_options.h"
#include "training/schedule.h"

namespace roformer {

struct PretrainPlan {
  ModelConfig config;
  int64_t max_length = 0, batch_tokens = 0;
  Schedule preset;  // steps and learning rate where the options leave them open

  int64_t sequences_per_micro_batch() const { return batch_tokens / max_length; }
};

// UsageError for settings that cannot be together; DataError and FileError for a config.json.
PretrainPlan make_plan(const PretrainOptions& options, const Tokenizer& tokenizer);

}  // namespace roformer
