// What the parts of `roformer evaluate` share: its options, and a file for each kind of thing to evaluate.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/engine.h"
#include "cli/tokenizer_options.h"
#include "inference/session.h"
#include "tasks/finetune_options.h"
#include "training/pretrain_options.h"

namespace roformer {

struct EvaluateCommand {
  std::string task, model;
  PretrainOptions text;  // data, max_length and batch_tokens also of labeled files
  ColumnOptions columns;
  std::optional<int64_t> stride;
  std::string predictions;
  EngineOptions engine;
  TokenizerOptions tokenizer;
  bool json = false;
};

void evaluate_language_model(const EvaluateCommand& options, const Session& session);
void evaluate_labeled(const EvaluateCommand& options, const Session& session);

}  // namespace roformer
