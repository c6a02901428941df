// Resolves and checks the options of pre-training: the model's config and the sizes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "text/tokenizer.h"
#include "training/pretrain_options.h"
#include "training/schedule.h"
#include "training/start.h"

namespace roformer {

struct PretrainPlan {
  ModelConfig config;
  int64_t max_length = 0, batch_tokens = 0;
  Schedule preset;                    // default steps and learning rate
  std::vector<std::string> warnings;  // of reading `config` or `init_from`, one sentence each
  std::optional<Start> start = {};    // of init_from

  int64_t sequences_per_micro_batch() const { return batch_tokens / max_length; }
};

// `longest` is the length of the longest sequences where others than those of `options` are trained on, too (stages).
// UsageError for inconsistent settings; DataError and FileError for a config.json.
PretrainPlan make_plan(const PretrainOptions& options, const Tokenizer& tokenizer, int64_t longest = 0);

}  // namespace roformer
