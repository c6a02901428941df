// The stages of a training (training/stages.h) in a TOML file, a table [[stage]] for each.
#pragma once

#include <string>
#include <vector>

#include "training/pretrain_options.h"

namespace roformer {

// The options of each stage: `common`, with what its table says otherwise. Keys are stage_settings() as the command
// line spells them, and `batch`, sequences per micro-batch in place of `batch-tokens`. UsageError for unknown keys and
// wrong values, with the line, and for a stage without steps; otherwise the errors of read_config_tables().
std::vector<PretrainOptions> read_stages(const std::string& path, const PretrainOptions& common);

}  // namespace roformer
