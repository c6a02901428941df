// Evaluates a model with a head, or its sentence vectors, on labeled files.
#include <fmt/format.h>

#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/progress.h"
#include "base/signal.h"
#include "cli/evaluate.h"
#include "cli/score_lines.h"
#include "cli/sentence_vectors.h"
#include "tasks/evaluation.h"
#include "tasks/saved_predictions.h"
#include "tasks/vectors/vector_evaluation.h"

namespace roformer {

namespace {

TaskEvaluation evaluate_head(const EvaluateCommand& options, const Session& session, const Task& task,
                             std::span<const Example> examples, const std::stop_token& stop) {
  const Tokenizer& tokenizer = session.tokenizer();
  const int64_t own = tokenizer.model_max_length();
  const int64_t usual = std::min(own > 0 ? own : task.max_length, length_limit(session.model().config()).tokens);
  return evaluate_task(task, session.model(), tokenizer, examples, options.text.data.front(),
                       {.inputs = {.max_length = options.text.max_length.value_or(usual), .stride = options.stride},
                        .prediction = {.batch_tokens = *options.text.batch_tokens,
                                       .may_have_none = may_have_none(examples),
                                       .stop_token = stop}},
                       print_warning);
}

// As `embed` turns texts into vectors; without the files of sentence-transformers cut where a training cut them.
TaskEvaluation evaluate_vectors(const EvaluateCommand& options, const std::string& directory, const Session& session,
                                const Task& task, std::span<const Example> examples, const std::stop_token& stop) {
  const SentenceModules modules = sentence_modules_of(directory);
  const Tokenizer& tokenizer = session.tokenizer();
  SentenceChoice choice{.max_length = options.text.max_length};
  if (!choice.max_length && !modules.listed && tokenizer.model_max_length() > 0) {
    choice.max_length = std::min(tokenizer.model_max_length(), length_limit(session.model().config()).tokens);
  }
  const SentenceVectors vectors = sentence_vectors(choice, modules, session.model(), tokenizer);
  return evaluate_vectors(task, session.model(), tokenizer, examples, options.text.data.front(), vectors,
                          {.batch_tokens = *options.text.batch_tokens, .stop_token = stop}, print_warning);
}

}  // namespace

std::vector<Example> read_labeled(const EvaluateCommand& options, const Task& task, std::stop_token stop) {
  ReadOptions reading = read_options(options.columns);
  reading.labels_required = true;
  reading.stop_token = std::move(stop);
  std::vector<std::string> notices;
  std::vector<Example> examples = read_files(task, options.text.data, reading, notices);
  std::ranges::for_each(notices, print_warning);
  return examples;
}

TaskEvaluation evaluate_examples(const EvaluateCommand& options, const Task& task, const std::string& directory,
                                 const Session& session, const std::vector<Example>& examples,
                                 const std::stop_token& stop) {
  return has_head(task.kind) ? evaluate_head(options, session, task, examples, stop)
                             : evaluate_vectors(options, directory, session, task, examples, stop);
}

void evaluate_labeled(const EvaluateCommand& options, const Session& session) {
  const StopOnSignal stop;
  const Task& task = find_task(options.task);
  const std::vector<Example> examples = read_labeled(options, task, stop.token());
  const TaskEvaluation evaluation = evaluate_examples(options, task, options.model, session, examples, stop.token());
  if (!options.predictions.empty()) {
    write_predictions(options.predictions, task, session.model().config().labels, examples, evaluation.predictions);
  }
  const ScoreTable scores = scores_of(evaluation.metrics, session.pool());
  if (options.json) {
    std::cout << dump_json(score_json(task.name, scores)) << "\n";
    return;
  }
  std::cout << counted(scores.examples, "example") << "\n" << score_lines(scores);
}

}  // namespace roformer
