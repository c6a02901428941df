#include "tasks/finetune.h"

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>

#include <fmt/ranges.h>

#include "base/error.h"
#include "base/file.h"
#include "formats/directory_weights.h"
#include "formats/state_dict.h"
#include "tasks/finetune_plan.h"
#include "tasks/finetune_task.h"
#include "tasks/saved_predictions.h"
#include "tasks/task_objective.h"
#include "tasks/task_report.h"
#include "training/continuation.h"
#include "training/run_settings.h"

namespace roformer {

namespace {

constexpr double kLearningRate = 2e-5;  // Devlin et al. 2019, A.3, and paper.md 2.3: 2e-5 to 5e-5
constexpr double kEpochs = 3;           // paper.md 2.3

// The length in steps, of which an epoch has `epoch`: its last one may be smaller.
ScheduleOptions in_steps(ScheduleOptions schedule, int64_t epoch) {
  if (!schedule.steps) {
    schedule.steps = static_cast<int64_t>(std::ceil(schedule.epochs.value_or(kEpochs) * static_cast<double>(epoch)));
  }
  schedule.epochs.reset();
  return schedule;
}

Json resolved_settings(const FinetuneOptions& options, const FinetunePlan& plan, const Schedule& schedule,
                       Precision precision, int64_t validate_every, const std::string& tokenizer_hash,
                       const Json& of_task) {
  const ReadOptions& columns = options.columns.read;
  Json settings = {
      {"dtype", precision_name(precision)},
      {"model", WeightFiles(options.model).content_hash()},
      {"config", write_config(plan.config)},
      {"dropout", {plan.config.hidden_dropout, plan.config.attention_dropout}},
      {"task", plan.task->name},
      {"train", plan.training_hash},
      {"validation", plan.validation_hash},
      {"validation-fraction", options.validation_fraction ? Json(*options.validation_fraction) : Json("default")},
      {"text-column", columns.text_column},
      {"text-pair-column", columns.text_pair_column},
      {"text-third-column", columns.text_third_column},
      {"label-column", columns.label_column},
      {"tag-column", columns.tag_column},
      {"format", options.columns.format},
      {"header", options.columns.header},
      {"tokenizer", tokenizer_hash},
      {"max-length", plan.inputs.max_length},
      {"metric", plan.metric},
      {"validate-every", validate_every},
      {"steps", schedule.steps},
      {"learning-rate", schedule.learning_rate},
      {"warmup", schedule.warmup}};
  settings.update(of_task);
  return settings;
}

// Random weights where the model to start from has none.
void start_weights(Model& model, const FinetunePlan& plan, RandomStream random, std::vector<std::string>& warnings) {
  const LoadingPlan loading(plan.config, plan.start.tensors, plan.start.source, LoadingPlan::Fit::trunk);
  model.initialize(random, &loading);
  model.load_weights(loading);
  std::vector<std::string> anew;
  for (const LoadingPlan::Missing& one : loading.missing_in_head()) anew.push_back(one.name);
  LoadNotes notes;
  note_unused(loading, notes);
  warnings.insert(warnings.end(), notes.warnings.begin(), notes.warnings.end());
  if (!anew.empty()) warnings.push_back(fmt::format("parameters of the head start anew: {}", fmt::join(anew, ", ")));
}

// What the trainer logs of a validation.
Evaluation logged(const TaskEvaluation& measured) {
  Evaluation evaluation{.loss = measured.loss, .accuracy = {}, .labels = measured.metrics.examples};
  for (const auto& [name, value] : named_values(measured.metrics)) {
    if (name == "accuracy") {
      evaluation.accuracy = value;
    } else {
      evaluation.metrics.emplace_back(name, value);
    }
  }
  return evaluation;
}

// Measures the published weights and writes predictions.jsonl, report.html and, as a sign that all is done,
// evaluation.json.
ScoreTable evaluate_published(const FinetuneOptions& options, const FinetunePlan& plan, const FinetuneTask& task,
                              Model& model) {
  const std::string weights = join_path(options.output, "model.safetensors");
  model.load_weights(load_state_dict(weights), weights);
  const TaskEvaluation evaluation = task.evaluate(model);
  ScoreTable scores = scores_of(evaluation.metrics, model.backend().pool());
  write_predictions(join_path(options.output, "predictions.jsonl"), *plan.task, plan.config.labels, plan.validation,
                    evaluation.predictions);
  write_task_report(
      options.output, join_path(options.output, "report.html"),
      {.task = plan.task,
       .scores = scores,
       .predicted = {
           .labels = plan.config.labels, .examples = plan.validation, .predictions = evaluation.predictions}});
  Json json = score_json(plan.task->name, scores);
  json["loss"] = evaluation.loss;
  write_file_atomically(join_path(options.output, "evaluation.json"), dump_json(json) + "\n");
  return scores;
}

}  // namespace

std::unique_ptr<FinetuneTask> make_finetune_task(const FinetuneOptions& options, FinetunePlan& plan,
                                                 const Tokenizer& tokenizer, ThreadPool& pool) {
  return has_head(plan.task->kind) ? make_head_task(options, plan, tokenizer, pool)
                                   : make_vector_task(options, plan, tokenizer, pool);
}

FinetuneResult finetune(const FinetuneOptions& options, Backend& backend) {
  if (options.output.empty()) throw UsageError("{} is empty, expected a directory", FieldName("output"));
  FinetunePlan plan = make_finetune_plan(options);
  const auto tokenizer = load_tokenizer(model_directory(options.model));
  tokenizer->set_model_max_length(plan.inputs.max_length);
  const auto task = make_finetune_task(options, plan, *tokenizer, backend.pool());

  const RandomStream random{static_cast<uint64_t>(options.seed), 0};
  const int64_t per_step = options.batch_size * options.accumulate;
  const int64_t epoch = steps_per_epoch(task->training_examples(), per_step);
  const ScheduleOptions length = in_steps(options.schedule, epoch);
  Schedule schedule = make_schedule(length, {.learning_rate = kLearningRate}, task->training_examples(), per_step);
  const int64_t validate_every = options.validate_every.value_or(epoch);

  auto files = tokenizer->files();
  const Json settings =
      run_settings(setting_values(options), resolved_settings(options, plan, schedule, backend.precision(),
                                                              validate_every, hash_files(files), task->settings()));
  files.merge(task->files());
  files["config.json"] = write_config(plan.config).dump(2) + "\n";
  Model model(backend, plan.config, true);
  start_weights(model, plan, substream(random, 0), plan.warnings);
  freeze(model, options.step);  // says here what does not fit

  RunDirectory directory(options.output, settings, files,
                         [&](const JsonObject& started, const Json& now, int64_t step) {
                           Continuation run = continue_run(options.output, length, started, now, step);
                           schedule = run.schedule;
                           return run.settings;
                         });
  FinetuneResult result;
  const std::string evaluation = join_path(options.output, "evaluation.json");
  const bool evaluated = exists(evaluation);
  result.already_finished = directory.finished(schedule.steps) && evaluated;
  result.training.steps = directory.resumed_step();
  if (options.accepted) options.accepted(result.already_finished);
  if (result.already_finished) return result;
  if (options.warned && directory.resumed_step() == 0) {
    for (const std::string& warning : plan.warnings) options.warned(warning);
  }

  std::filesystem::remove(evaluation);  // of a run that now goes on to more steps
  const auto objective = task->objective(
      model, [&] { return logged(task->evaluate(model)); }, substream(random, 1));
  options.messages.write(
      fmt::format("{}: {} to train on, {} to validate on; {} of up to {}; learning rate up to {:g}\n", plan.task->name,
                  counted(std::ssize(plan.training), "example"), plan.validation.size(),
                  counted(schedule.steps, "step"), counted(per_step, "example"), schedule.learning_rate));
  result.training = train(
      model, *objective,
      {.schedule = schedule,
       .optimizer = options.optimizer,
       .step = options.step,
       .base_model = options.model,
       .intervals = {.validate_every = validate_every,
                     .save_every = options.save_every.value_or(validate_every),
                     .log_every = options.log_every,
                     .keep = options.keep},
       .random = substream(random, 2),
       .best =
           BestOptions{.metric = plan.metric, .higher = higher_is_better(plan.metric), .patience = options.patience},
       .output = options.messages,
       .stop_token = options.stop_token,
       .times = options.times},
      directory);
  result.scores = evaluate_published(options, plan, *task, model);
  return result;
}

}  // namespace roformer
