// The options of pre-training from plain text.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/progress.h"
#include "base/setting.h"
#include "data/text_blocks.h"
#include "models/config.h"
#include "models/shape_settings.h"
#include "training/optimizer.h"
#include "training/schedule.h"
#include "training/trainer.h"

namespace roformer {

// An empty optional means the preset's value.
struct PretrainOptions {
  std::string objective = "mlm";                   // or "clm"
  std::vector<std::string> data, validation_data;  // text files, plain or compressed, or directories of them
  std::optional<double> validation_fraction;  // without validation_data; 0: none; empty: 0.02, at most 1,000 sequences
  std::optional<int64_t> reader_threads;      // threads that tokenize ahead; empty: the backend's number
  std::string documents = "automatic";        // what ends a document: of document_rule_names()
  std::string tokenizer;                      // directory; empty: init_from's
  std::string output;
  std::string init_from;  // model directory with initial weights and shape

  ShapeOptions shape;
  std::string config;  // config.json to use instead of the preset's shape

  std::optional<int64_t> max_length, batch_tokens;
  int64_t accumulate = 1;
  ScheduleOptions schedule;
  OptimizerOptions optimizer;
  StepOptions step;
  std::optional<double> mask_probability;  // mlm; empty: 0.15
  bool whole_word = false;                 // mlm
  Intervals intervals;
  std::string best = "none";  // or "loss" or "accuracy"
  int64_t patience = 0;
  int64_t seed = 1;

  Progress::Output messages = Progress::Output::standard_error();  // of progress and notices
  // Called once all settings are validated, before training.
  std::function<void(bool already_finished)> accepted;
  // Called after `accepted`, before training, with a file of the training text whose lines may be meant as documents.
  std::function<void(const UndividedFile& file)> undivided;
  // Called before training with each warning of reading `config` or `init_from`.
  std::function<void(const std::string& warning)> warned;
  std::stop_token stop_token = {};  // polled while reading text and after each step
  // Called with the estimated seconds (training/work_estimate.h) before a new run begins; throws to call it off.
  std::function<void(double seconds)> confirm = nullptr;
  bool cpu_speed = false;                                        // as in TrainerOptions
  std::function<std::string(const StepCount&)> times = nullptr;  // as in TrainerOptions
};

// The settings in the order of --help, in three parts; `shape` has its own, and callers declare `output`.
template <OptionsOf<PretrainOptions> Options>
void visit_data_settings(Options& options, auto& visitor) {
  visitor.texts(options.data,
                {.name = "data",
                 .help = "text to train on: files, also compressed, or directories",
                 .effect = Effect::resolved,
                 .required = true},
                "FILE");
  visitor.texts(options.validation_data, {"validation_data", "text to validate on", Effect::resolved}, "FILE");
  visitor.real(
      options.validation_fraction,
      {"validation_fraction",
       "instead, the fraction of sequences to hold out (default: 0.02, at most 1,000 sequences); 0 = no validation",
       Effect::resolved},
      {0, 1, false, true});
  visitor.choice(
      options.documents,
      {"documents", "what ends a document (automatic is <doc> tags where present, else blank lines)", Effect::result},
      document_rule_names());
  visitor.text(options.tokenizer,
               {"tokenizer", "tokenizer or model directory (default: that of `init_from`)", Effect::resolved}, "DIR");
}

template <OptionsOf<PretrainOptions> Options>
void visit_model_settings(Options& options, auto& visitor) {
  visitor.text(options.config, {"config", "a config.json whose shape to start from instead of a preset's"}, "FILE");
  visitor.text(options.init_from,
               {"init_from",
                "start from the weights and shape of this model; `position` and its parameters replace its encoding",
                Effect::resolved},
               "DIR");
}

template <OptionsOf<PretrainOptions> Options>
void visit_run_settings(Options& options, auto& visitor) {
  std::optional<Unused> no_masks;
  if (options.objective == "clm") no_masks = {"objective", "clm masks nothing"};
  visitor.choice(options.objective,
                 {"objective", "what to predict: masked tokens from both sides, or each token from those before it",
                  Effect::result},
                 {"mlm", "clm"});
  visitor.integer(options.max_length, {"max_length", "tokens per sequence (default: the preset's)", Effect::resolved},
                  {3, 1 << 20});
  visitor.integer(options.batch_tokens,
                  {"batch_tokens", "tokens per micro-batch (default: the preset's)", Effect::resolved}, {3, 1 << 28});
  visitor.integer(options.accumulate, {"accumulate", "micro-batches per step", Effect::result}, {1, 1 << 20});
  visit_settings(options.schedule, visitor);
  visit_settings(options.optimizer, visitor);
  visit_settings(options.step, visitor);
  visitor.real(options.mask_probability,
               {.name = "mask_probability",
                .help = "mlm: fraction of tokens to predict (default: 0.15)",
                .effect = Effect::resolved,
                .unused = no_masks},
               {0, 1, true, false});
  visitor.flag(options.whole_word,
               {.name = "whole_word", .help = "mlm: mask whole words", .effect = Effect::result, .unused = no_masks});
  visit_settings(options.intervals, visitor);
  visitor.choice(options.best,
                 {"best",
                  "publish the weights of the validation with the lowest loss or the highest accuracy instead of the "
                  "last ones",
                  Effect::resolved},
                 {"none", "loss", "accuracy"});
  std::optional<Unused> no_best;
  if (options.best == "none") no_best = {"best", "none keeps no weights"};
  visitor.integer(options.patience,
                  {.name = "patience",
                   .help = "end the run after so many validations that are not better than the best; 0 = never",
                   .effect = Effect::result,
                   .unused = no_best},
                  {0});
  visitor.integer(options.seed, {"seed", "random seed; the same seed gives the same result", Effect::result},
                  {.low = 0});
  visitor.integer(options.reader_threads,
                  {"reader_threads", "threads that tokenize ahead of the training (default: `threads`)"}, {1, 1024});
}

template <OptionsOf<PretrainOptions> Options>
void visit_settings(Options& options, auto& visitor) {
  visit_data_settings(options, visitor);
  visit_settings(options.shape, visitor);
  visit_model_settings(options, visitor);
  visit_run_settings(options, visitor);
}

inline constexpr double kMaskProbability = 0.15;

// Defaults besides the model's shape.
struct RunDefaults {
  int64_t max_length, batch_tokens, steps;
  double learning_rate;
};
RunDefaults preset_run(const std::string& name);
// The preset's, with a learning rate for a model that is trained already where there is one.
RunDefaults run_defaults(const PretrainOptions& options);
// Fills in what is empty and has a default that no file decides, for showing the options.
void fill_defaults(PretrainOptions& options);

}  // namespace roformer
