// The options of fine-tuning on labeled files.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/progress.h"
#include "base/setting.h"
#include "tasks/labeled_input.h"
#include "tasks/pooling.h"
#include "tasks/vectors/vector_options.h"
#include "training/optimizer.h"
#include "training/schedule.h"
#include "training/step_options.h"
#include "training/trainer.h"

namespace roformer {

// An empty optional means the task's value.
struct FinetuneOptions {
  std::string model, task, output;             // the task: of task_names()
  std::vector<std::string> train, validation;  // labeled files
  std::optional<double> validation_fraction;   // of `train`, without `validation`; empty: 0.1
  std::optional<int64_t> folds, fold;          // cross-validation instead: train on all folds but one
  int64_t split_seed = 1;                      // of both divisions
  bool augment = false;                        // triplets: data/labeled/augment.h
  ColumnOptions columns;

  std::optional<int64_t> max_length, stride;
  int64_t batch_size = 32;
  int64_t accumulate = 1;  // batches per step
  int64_t batch_tokens = 16'384;
  ScheduleOptions schedule;
  OptimizerOptions optimizer;
  StepOptions step;
  std::optional<double> dropout;
  std::string pooling = "auto";
  std::optional<int64_t> validate_every, save_every;
  int64_t log_every = 10, keep = 1;

  std::string metric;  // that chooses the best weights; empty: the task's first
  int64_t patience = 0;
  std::vector<std::string> class_weights;  // "balanced", or LABEL=WEIGHT
  double label_smoothing = 0;
  double r_drop = 0;
  SimilarityOptions vectors;
  int64_t seed = 1;

  Progress::Output messages = Progress::Output::standard_error();
  std::function<void(bool already_finished)> accepted;           // called once all settings are validated
  std::function<void(const std::string& warning)> warned;        // called with each warning and count, before training
  std::function<std::string(const StepCount&)> times = nullptr;  // TrainerOptions
  std::stop_token stop_token = {};
};

template <OptionsOf<FinetuneOptions> Options>
void visit_data_settings(Options& options, auto& visitor) {
  visitor.text(options.model,
               {.name = "model", .help = "model to fine-tune", .effect = Effect::resolved, .required = true}, "DIR");
  visitor.text(
      options.task,
      {.name = "task", .help = "what to learn: see `help tasks`", .effect = Effect::resolved, .required = true},
      "NAME");
  visitor.texts(options.train,
                {.name = "train", .help = "labeled files to train on", .effect = Effect::resolved, .required = true},
                "FILE");
  visitor.texts(options.validation, {"validation", "labeled files to validate on", Effect::resolved}, "FILE");
  visitor.real(options.validation_fraction,
               {"validation_fraction", "instead, the fraction of the training examples to hold out (default: 0.1)",
                Effect::resolved},
               {0, 1, true, true});
  visitor.integer(
      options.folds,
      {"folds", "instead, cut the training examples into this many folds (of triplets, without a text on both sides)",
       Effect::result},
      {2, 1000});
  visitor.integer(options.fold, {"fold", "the fold to validate on, from 1 (default: one run for each)", Effect::result},
                  {1, 1000});
  visitor.integer(options.split_seed,
                  {"split_seed", "of the division into examples to train and to validate on", Effect::result}, {0});
  visitor.flag(options.augment,
               {"augment", "triplets: add exchanged, reflexive and antisymmetric ones to train on", Effect::result});
  visit_settings(options.columns, visitor);
}

template <OptionsOf<FinetuneOptions> Options>
void visit_model_settings(Options& options, auto& visitor) {
  visitor.integer(options.max_length,
                  {"max_length", "tokens per sequence, longer ones are cut (default: the task's)", Effect::resolved},
                  {3, 1 << 20});
  visitor.integer(
      options.stride,
      {"stride",
       "question answering: tokens of the context that two windows share (default: half a window, at most 128)",
       Effect::result},
      {0, 1 << 20});
  visitor.choice(options.pooling,
                 {"pooling",
                  "what a classifier of texts reads (auto: the task's, else as the model's family does), or how "
                  "token vectors become a text's (auto: as the model directory says, else the mean)",
                  Effect::result},
                 classifier_pooling_names());
  visitor.real(options.dropout,
               {"dropout", "of hidden states and attention weights (default: the model's)", Effect::resolved},
               {0, 1, false, true});
}

template <OptionsOf<FinetuneOptions> Options>
void visit_run_settings(Options& options, auto& visitor) {
  visitor.integer(options.batch_size, {"batch_size", "examples computed at once", Effect::result}, {1, 1 << 20});
  visitor.integer(options.accumulate, {"accumulate", "batches per step", Effect::result}, {1, 1 << 20});
  visitor.integer(options.batch_tokens,
                  {"batch_tokens", "tokens computed at once: a batch of more is computed in parts", Effect::result},
                  {1, 1 << 28});
  visit_settings(options.schedule, visitor);
  visit_settings(options.optimizer, visitor);
  visit_settings(options.step, visitor);
  visitor.text(options.metric,
               {"metric",
                "chooses the best weights, which are kept: a metric of the task, or loss (default: the "
                "task's first)",
                Effect::resolved},
               "NAME");
  visitor.integer(options.patience,
                  {"patience", "validations without progress that end the run early; 0 = none do", Effect::result},
                  {0, 1'000'000});
  visitor.texts(options.class_weights,
                {"class_weights", "weights of labels in the loss: balanced, or LABEL=WEIGHT for some", Effect::result},
                "WEIGHT");
  visitor.real(options.label_smoothing, {"label_smoothing", "share of the label that all labels get", Effect::result},
               {0, 1, false, true});
  visitor.real(options.r_drop,
               {"r_drop",
                "weight of R-Drop: each example is computed twice, and both distributions drawn together; "
                "0 = off",
                Effect::result},
               {0, 1000});
  visitor.integer(options.validate_every,
                  {"validate_every", "steps between validations (default: an epoch)", Effect::resolved}, {1});
  visitor.integer(options.save_every, {"save_every", "steps between snapshots (default: as validations)"}, {1});
  visitor.integer(options.log_every, {"log_every", "steps between log entries"}, {1});
  visitor.integer(options.keep, {"keep", "snapshots to retain"}, {1, 1'000'000});
  visitor.integer(options.seed, {"seed", "random seed; the same seed gives the same result", Effect::result},
                  {.low = 0});
}

template <OptionsOf<FinetuneOptions> Options>
void visit_settings(Options& options, auto& visitor) {
  visit_data_settings(options, visitor);
  visit_model_settings(options, visitor);
  visit_run_settings(options, visitor);
  visit_similarity_settings(options.vectors, options.task, visitor);
}

}  // namespace roformer
