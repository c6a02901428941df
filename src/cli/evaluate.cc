// roformer evaluate: a language model on text, a model with a head on labeled files, or files of translations.
#include "cli/evaluate.h"

#include <algorithm>

#include "base/error.h"
#include "base/file.h"
#include "base/inapplicable_error.h"
#include "base/json.h"
#include "cli/did_you_mean.h"
#include "cli/registry.h"
#include "cli/setting_options.h"
#include "cli/training_options.h"
#include "data/labeled/tasks.h"
#include "metrics/translation/bleu_tokenizers.h"
#include "training/run_settings.h"

namespace roformer {
namespace {

const std::vector<std::string>& language_tasks() {
  static const std::vector<std::string> names = {"language-model", "perplexity"};
  return names;
}

void describe(OptionSet& set, EvaluateCommand& options) {
  set.section("Evaluation");
  set.add("--task", options.task,
          "what to evaluate: language-model (or perplexity), translation, or one of `help tasks` (default: what the "
          "model was fine-tuned for, else language-model; translation with --hypotheses)",
          "NAME");
  set.add("--model", options.model, "model directory", "DIR");
  set.add(
      "--compare", options.compared,
      "instead, two models with heads: the difference of each metric with its interval, and McNemar's test; without "
      "--data, of the validation examples of two fine-tunings",
      "DIR");
  set.add("--data", options.text.data,
          "what to evaluate on: labeled files, or text files or directories; plain or compressed", "FILE");
  set.add("--max-length", options.text.max_length,
          "tokens per sequence (default: the tokenizer's model_max_length, which a training sets to its own, else the "
          "task's, of a language model 512)",
          {3, 1 << 20});
  options.text.batch_tokens = 8192;
  set.add("--batch-tokens", options.text.batch_tokens, "tokens per pass, at least one sequence", {1, 1 << 28});
  set.section("Labeled files");
  SettingOptions columns(set);
  visit_settings(options.columns, columns);
  set.add("--stride", options.stride,
          "question answering: tokens of the context that two windows share (default: half a window, at most 128)",
          {0, 1 << 20});
  set.add("--predictions", options.predictions,
          "write each example with its prediction to this file, a JSON object a line", "FILE");
  set.section("Language models");
  SettingOptions settings = SettingOptions::only(set, {"documents", "mask_probability", "whole_word", "seed"});
  visit_data_settings(options.text, settings);
  visit_run_settings(options.text, settings);
  set.section("Translations");
  set.add("--hypotheses", options.translations.hypotheses,
          "translations, one a line, - is standard input; two files: their difference and whether it may be chance",
          "FILE");
  set.add("--references", options.translations.references, "right translations of the same lines, a file each", "FILE");
  set.add_choice(
      "--tokenize", options.translations.tokenize, bleu_tokenizer_names(),
      "how BLEU divides texts: as mteval-v13a, by Unicode categories, into characters, Chinese, or at spaces");
  set.add("--lowercase", options.translations.lowercase, "BLEU and chrF ignore case, as TER always does");
  set.add("--chrf-word-order", options.translations.chrf_word_order, "longest n-grams of words in chrF; 2 is chrF++",
          {0, 8});
  set.section("Run");
  add_json(set, options.json);
  add_tokenizer(set, options.tokenizer);
  add_engine(set, options.engine);
}

constexpr const char* kTranslation = "translation";

// UsageError for a name that is neither of a language model's evaluation nor of a task.
void check_task(const std::string& name) {
  std::vector<std::string> others = language_tasks();
  others.emplace_back(kTranslation);
  const std::string meant = did_you_mean(name, others);
  const std::vector<std::string> names = task_names();
  const bool known = std::ranges::find(names, name) != names.end();
  if (!known && !meant.empty()) throw UsageError("unknown {} '{}'{}", FieldName("task"), name, meant);
  find_task(name);
}

// What the training in a directory was for; empty if it does not say.
std::string trained_task(const std::string& directory) {
  for (const char* name : {"evaluation.json", "training/settings.json"}) {  // a grid has the first only
    const std::string path = join_path(directory, name);
    if (!exists(path)) continue;
    const JsonObject settings = JsonObject::read(path, kMaxSettingsBytes);
    if (settings.has("task")) return settings.get_string("task", std::nullopt);
  }
  return "";
}

void run_comparison(EvaluateCommand options) {
  if (options.compared.size() != 2) {
    throw UsageError("{} has {} models, expected two", FieldName("compare"), options.compared.size());
  }
  if (!options.model.empty()) throw InapplicableError("use either {} or {}", FieldName("model"), FieldName("compare"));
  if (!options.predictions.empty()) {
    throw InapplicableError("{} writes those of one model, given by {}", FieldName("predictions"), FieldName("model"));
  }
  if (options.task.empty() && !options.text.data.empty()) {
    options.task = trained_task(options.compared[0]);
    if (options.task.empty()) {
      throw UsageError("{} does not say what it was fine-tuned for, expected {}", FilePath(options.compared[0]),
                       FieldName("task"));
    }
  }
  if (std::ranges::find(language_tasks(), options.task) != language_tasks().end()) {
    throw InapplicableError("{} is for models with a head on labeled files, not for {}", FieldName("compare"),
                            options.task);
  }
  compare_labeled(options);
}

void run_translation(EvaluateCommand options) {
  if (options.task.empty()) options.task = kTranslation;
  const bool has_files = !options.translations.hypotheses.empty() || !options.translations.references.empty();
  if (options.task != kTranslation) {
    throw InapplicableError("{} and {} are for {}, not for {}", FieldName("hypotheses"), FieldName("references"),
                            kTranslation, options.task);
  }
  const char* other = !options.model.empty()       ? "model"
                      : !options.compared.empty()  ? "compare"
                      : !options.text.data.empty() ? "data"
                                                   : nullptr;
  if (other != nullptr && has_files) {
    throw InapplicableError("use either {} or {}", FieldName(other), FieldName("hypotheses"));
  }
  evaluate_translation(options);
}

void run(const EvaluateCommand& given) {
  EvaluateCommand options = given;
  if (options.task == kTranslation || !options.translations.hypotheses.empty() ||
      !options.translations.references.empty()) {
    return run_translation(std::move(options));
  }
  if (!options.compared.empty()) return run_comparison(options);
  if (options.model.empty()) throw UsageError("{} is required", FieldName("model"));
  if (options.text.data.empty()) throw UsageError("{} is required", FieldName("data"));
  if (options.task.empty()) options.task = trained_task(options.model);
  if (options.task.empty()) options.task = language_tasks().front();
  const bool of_language = std::ranges::find(language_tasks(), options.task) != language_tasks().end();
  if (!of_language) check_task(options.task);  // before the model is read
  const Session session(options.model, {.engine = options.engine, .tokenizer = load_options(options.tokenizer)});
  print_warnings(session.notes());
  if (of_language) {
    evaluate_language_model(options, session);
  } else {
    evaluate_labeled(options, session);
  }
}

}  // namespace

Command evaluate_command() {
  return {.name = "evaluate",
          .summary = "Measure a model on labeled files, a language model on text, or translations",
          .group = "Train",
          .example = "roformer evaluate --model model --task mrpc --data test.tsv",
          .prepare = prepare_with<EvaluateCommand>(describe, run)};
}

}  // namespace roformer
