// What the parts of `roformer evaluate` share: its options, and a file for each kind of thing to evaluate.
#pragma once

#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "cli/engine.h"
#include "cli/tokenizer_options.h"
#include "inference/session.h"
#include "tasks/evaluation.h"
#include "tasks/labeled_input.h"
#include "training/pretrain_options.h"

namespace roformer {

struct TranslationFiles {
  std::vector<std::string> hypotheses, references;
  std::string tokenize = "13a";
  bool lowercase = false;
  int64_t chrf_word_order = 0;
};

struct EvaluateCommand {
  std::string task, model;
  std::vector<std::string> compared;
  PretrainOptions text;  // data, max_length and batch_tokens also of labeled files
  ColumnOptions columns;
  std::optional<int64_t> stride;
  std::string predictions;
  TranslationFiles translations;
  EngineOptions engine;
  TokenizerOptions tokenizer;
  bool json = false;
};

void evaluate_language_model(const EvaluateCommand& options, const Session& session);
void evaluate_labeled(const EvaluateCommand& options, const Session& session);
void compare_labeled(const EvaluateCommand& options);
void evaluate_translation(const EvaluateCommand& options);

// What both of these need: the examples of the data, and what the model of a directory says of them.
std::vector<Example> read_labeled(const EvaluateCommand& options, const Task& task, std::stop_token stop);
TaskEvaluation evaluate_examples(const EvaluateCommand& options, const Task& task, const std::string& directory,
                                 const Session& session, const std::vector<Example>& examples,
                                 const std::stop_token& stop);

}  // namespace roformer
