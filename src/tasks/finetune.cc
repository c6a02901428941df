#include "tasks/finetune.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include <fmt/ranges.h>

#include "base/error.h"
#include "base/file.h"
#include "formats/directory_weights.h"
#include "formats/state_dict.h"
#include "tasks/finetune_plan.h"
#include "tasks/task_objective.h"
#include "tasks/task_report.h"
#include "training/continuation.h"
#include "training/run_settings.h"

namespace roformer {

namespace {

constexpr double kLearningRate = 2e-5;  // Devlin et al. 2019, A.3, and paper.md 2.3: 2e-5 to 5e-5
constexpr double kEpochs = 3;           // paper.md 2.3

// The examples as the model reads them.
struct FinetuneInputs {
  EncodedExamples training, validation;
};

FinetuneInputs encode(const FinetuneOptions& options, FinetunePlan& plan, const Tokenizer& tokenizer,
                      ThreadPool& pool) {
  const TaskInputs inputs(plan.task->kind, plan.config, tokenizer, plan.inputs);
  const std::string& file = options.train.front();
  const std::string& other = options.validation.empty() ? file : options.validation.front();
  FinetuneInputs result{inputs.encode(plan.training, file, pool), inputs.encode(plan.validation, other, pool)};
  for (const std::string& notice : encoding_notices(result.training, file)) plan.warnings.push_back(notice);
  if (other != file) {
    for (const std::string& notice : encoding_notices(result.validation, other)) plan.warnings.push_back(notice);
  }
  return result;
}

// The length in steps, of which an epoch has `epoch`: its last one may be smaller.
ScheduleOptions in_steps(ScheduleOptions schedule, int64_t epoch) {
  if (!schedule.steps) {
    schedule.steps = static_cast<int64_t>(std::ceil(schedule.epochs.value_or(kEpochs) * static_cast<double>(epoch)));
  }
  schedule.epochs.reset();
  return schedule;
}

void check_metric(const FinetunePlan& plan, const EncodedExamples& validation) {
  const std::vector<std::string> names = metric_names(*plan.task, plan.config.labels, plan.validation, validation);
  if (std::ranges::find(names, plan.metric) != names.end()) return;
  throw UsageError("{} is {}, expected one of {}", FieldName("metric"), quote(plan.metric), fmt::join(names, ", "));
}

// `weights` are those of the labels, which all terms are about.
void weigh(EncodedExamples& encoded, const std::vector<double>& weights) {
  for (EncodedPart& part : encoded.parts) {
    for (size_t i = 0; i < part.terms.size(); ++i) {
      LossTerm& term = part.terms[i];
      if (term.target < 0) continue;
      if (term.kind == TermKind::softmax) term.weight = weights[static_cast<size_t>(term.target)];
      if (term.kind == TermKind::sigmoid && term.target == 1) term.weight = weights[i];
    }
  }
}

int64_t count_with_target(const EncodedExamples& encoded) {
  return std::ranges::count_if(
      encoded.parts, [](const EncodedPart& part) { return std::ranges::any_of(part.terms, &LossTerm::has_target); });
}

Json resolved_settings(const FinetuneOptions& options, const FinetunePlan& plan, const Schedule& schedule,
                       Precision precision, int64_t validate_every, const std::string& tokenizer_hash) {
  const ReadOptions& columns = options.columns.read;
  return {{"dtype", precision_name(precision)},
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
}

// Random weights where the model to start from has none.
void start_weights(Model& model, const FinetunePlan& plan, RandomStream random, std::vector<std::string>& warnings) {
  const LoadingPlan loading(plan.config, plan.start.tensors, plan.start.source, LoadingPlan::Fit::trunk);
  model.initialize(random);
  model.load_weights(loading);
  std::vector<std::string> anew;
  for (const LoadingPlan::Missing& one : loading.missing_in_head()) anew.push_back(one.name);
  LoadNotes notes;
  note_unused(loading, notes);
  warnings.insert(warnings.end(), notes.warnings.begin(), notes.warnings.end());
  if (!anew.empty()) warnings.push_back(fmt::format("parameters of the head start anew: {}", fmt::join(anew, ", ")));
}

// What the trainer logs of a validation.
Evaluation logged(double loss, const MetricSet& metrics) {
  Evaluation evaluation{.loss = loss, .accuracy = {}, .labels = metrics.examples};
  for (const auto& [name, value] : named_values(metrics)) {
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
ScoreTable evaluate_published(const FinetuneOptions& options, const FinetunePlan& plan, Model& model,
                              const Tokenizer& tokenizer, const EncodedExamples& validation,
                              const PredictionOptions& prediction) {
  const std::string weights = join_path(options.output, "model.safetensors");
  model.load_weights(load_state_dict(weights), weights);
  const std::vector<Prediction> predictions = predict(model, tokenizer, plan.validation, validation, prediction);
  const MetricSet metrics = task_metrics(*plan.task, plan.config.labels, plan.validation, predictions);
  ScoreTable scores = scores_of(metrics, model.backend().pool());
  write_predictions(join_path(options.output, "predictions.jsonl"), *plan.task, plan.config.labels, plan.validation,
                    predictions);
  write_task_report(
      options.output, join_path(options.output, "report.html"),
      {.task = plan.task,
       .scores = scores,
       .predicted = {.labels = plan.config.labels, .examples = plan.validation, .predictions = predictions}});
  Json json = score_json(plan.task->name, scores);
  json["loss"] = mean_loss(predictions);
  write_file_atomically(join_path(options.output, "evaluation.json"), dump_json(json) + "\n");
  return scores;
}

}  // namespace

ReadOptions read_options(const ColumnOptions& columns) {
  ReadOptions options = columns.read;
  options.format = parse_file_format(columns.format);
  if (columns.header != "automatic") options.header = columns.header == "yes";
  return options;
}

FinetuneResult finetune(const FinetuneOptions& options, Backend& backend) {
  if (options.output.empty()) throw UsageError("{} is empty, expected a directory", FieldName("output"));
  FinetunePlan plan = make_finetune_plan(options);
  const auto tokenizer = load_tokenizer(model_directory(options.model));
  tokenizer->set_model_max_length(plan.inputs.max_length);
  FinetuneInputs inputs = encode(options, plan, *tokenizer, backend.pool());
  check_metric(plan, inputs.validation);
  if (!options.class_weights.empty()) {
    const LabelNames labels(plan.config.labels);
    weigh(inputs.training, label_weights(options.class_weights, plan.task->kind, labels, plan.training));
  }

  const RandomStream random{static_cast<uint64_t>(options.seed), 0};
  const int64_t parts = count_with_target(inputs.training);
  if (parts == 0) throw DataError("{}: no example can be trained on", FilePath(options.train.front()));
  const TaskObjectiveOptions objective_options{
      .batch_size = options.batch_size,
      .accumulate = options.accumulate,
      .batch_tokens = options.batch_tokens,
      .loss = {.terms = {.label_smoothing = options.label_smoothing}, .r_drop = options.r_drop}};
  const int64_t epoch = steps_per_epoch(parts, objective_options.per_step());
  const ScheduleOptions length = in_steps(options.schedule, epoch);
  Schedule schedule = make_schedule(length, {.learning_rate = kLearningRate}, parts, objective_options.per_step());
  const int64_t validate_every = options.validate_every.value_or(epoch);

  auto files = tokenizer->files();
  const Json settings =
      run_settings(setting_values(options),
                   resolved_settings(options, plan, schedule, backend.precision(), validate_every, hash_files(files)));
  files["config.json"] = write_config(plan.config).dump(2) + "\n";
  Model model(backend, plan.config, true);
  start_weights(model, plan, substream(random, 0), plan.warnings);

  RunDirectory directory(options.output, settings, files,
                         [&](const JsonObject& started, const Json& now, int64_t step) {
                           Continuation run = continue_run(options.output, length, started, now, step);
                           schedule = run.schedule;
                           return run.settings;
                         });
  FinetuneResult result;
  const bool ended = directory.state().finished_early || directory.resumed_step() >= schedule.steps;
  const bool evaluated = exists(join_path(options.output, "evaluation.json"));
  result.already_finished = directory.has_snapshot() && ended && evaluated;
  result.training.steps = directory.resumed_step();
  if (options.accepted) options.accepted(result.already_finished);
  if (result.already_finished) return result;
  if (options.warned && directory.resumed_step() == 0) {
    for (const std::string& warning : plan.warnings) options.warned(warning);
  }

  const PredictionOptions prediction{.may_have_none = may_have_none(plan.training), .stop_token = options.stop_token};
  const auto validate = [&] {
    const std::vector<Prediction> predictions =
        predict(model, *tokenizer, plan.validation, inputs.validation, prediction);
    return logged(mean_loss(predictions), task_metrics(*plan.task, plan.config.labels, plan.validation, predictions));
  };
  TaskObjective objective(model, std::move(inputs.training.parts), objective_options, validate, substream(random, 1));
  options.messages.write(fmt::format(
      "{}: {} to train on, {} to validate on; {} of up to {}; learning rate up to {:g}\n", plan.task->name,
      counted(std::ssize(plan.training), "example"), plan.validation.size(), counted(schedule.steps, "step"),
      counted(objective_options.per_step(), "example"), schedule.learning_rate));
  result.training =
      train(model, objective,
            {.schedule = schedule,
             .optimizer = options.optimizer,
             .intervals = {.validate_every = validate_every,
                           .save_every = options.save_every.value_or(validate_every),
                           .log_every = options.log_every,
                           .keep = options.keep},
             .random = substream(random, 2),
             .best = BestOptions{.metric = plan.metric, .higher = plan.metric != "loss", .patience = options.patience},
             .output = options.messages,
             .stop_token = options.stop_token,
             .times = options.times},
            directory);
  result.scores = evaluate_published(options, plan, model, *tokenizer, inputs.validation, prediction);
  return result;
}

}  // namespace roformer
