// The options of training from text, for the commands that train one model or a grid of them. Most are made from the
// settings of training/pretrain_options.h.
#pragma once

#include <string_view>

#include "cli/engine.h"
#include "cli/options.h"
#include "training/pretrain_options.h"

namespace roformer {

struct TrainingCommand {
  PretrainOptions task;
  EngineOptions engine;
  bool yes = false;
};

// --data, --validation-data, …, --output, which is described by `output_help`.
void describe_training_data(OptionSet& set, PretrainOptions& task, std::string_view output_help);
// The shape; with `alone` including the position encoding and the kind of attention.
void describe_training_shape(OptionSet& set, PretrainOptions& task, bool alone);
void describe_training_run(OptionSet& set, TrainingCommand& command);

// The hint at --documents, on standard error.
void print_undivided(const UndividedFile& file);

}  // namespace roformer
