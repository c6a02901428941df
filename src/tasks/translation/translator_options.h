// The options of training a translator from parallel text.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/progress.h"
#include "base/setting.h"
#include "tasks/translation/translator_shape.h"
#include "training/optimizer.h"
#include "training/schedule.h"
#include "training/step_options.h"
#include "training/trainer.h"

namespace roformer {

// An empty optional means the preset's value.
struct TrainTranslatorOptions {
  std::vector<std::string> source, target;  // files, line by line translations of each other
  std::vector<std::string> validation_source, validation_target;
  std::string output;
  std::string init_from;  // model directory with initial weights, shape and tokenizers

  std::string tokenizer;  // directory of a translator's tokenizers; empty: learned from the text
  std::string tokenizer_type = "bpe";
  std::optional<int64_t> vocab_size;
  bool separate_vocabularies = false, lowercase = false;

  std::vector<std::string> filters = {"identical", "duplicates", "scripts"};
  double max_ratio = 3;
  int64_t max_length = 256;

  TranslatorShape shape;

  std::optional<int64_t> batch_tokens;
  int64_t accumulate = 1;
  double label_smoothing = 0.1;
  std::optional<int64_t> steps;
  std::optional<double> epochs, learning_rate;
  std::optional<double> warmup;
  std::optional<std::string> schedule;
  bool extend = false;
  // Vaswani et al. 2017, 5.3.
  OptimizerOptions optimizer = {.weight_decay = 0, .beta2 = 0.98, .epsilon = 1e-9};
  StepOptions step;
  std::optional<int64_t> validate_every, save_every, average;
  int64_t log_every = 10, keep = 2;
  std::string metric = "bleu";
  int64_t patience = 0;
  int64_t validation_beam = 1, samples = 2;
  int64_t seed = 1;

  Progress::Output messages = Progress::Output::standard_error();
  std::function<void(bool already_finished)> accepted;           // called once all settings are validated
  std::function<void(const std::string& warning)> warned;        // called before training
  std::function<void(double seconds)> confirm = nullptr;         // as in PretrainOptions
  std::function<std::string(const StepCount&)> times = nullptr;  // as in TrainerOptions
  std::stop_token stop_token = {};
};

const std::vector<std::string>& translation_metric_names();  // bleu, chrf, loss

template <OptionsOf<TrainTranslatorOptions> Options>
void visit_data_settings(Options& options, auto& visitor) {
  visitor.texts(options.source,
                {.name = "source",
                 .help = "text to translate from, a sentence a line: files, also compressed",
                 .effect = Effect::resolved,
                 .required = true},
                "FILE");
  visitor.texts(options.target,
                {.name = "target",
                 .help = "the translation of each line, in as many files",
                 .effect = Effect::resolved,
                 .required = true},
                "FILE");
  visitor.texts(options.validation_source,
                {"validation_source",
                 "text to validate on (default: up to 1,000 pairs, a fiftieth at most, held out of the training text)",
                 Effect::resolved},
                "FILE");
  visitor.texts(options.validation_target, {"validation_target", "its translation", Effect::resolved}, "FILE");
  visitor.words(options.filters,
                {"filters",
                 "pairs to leave out: the same text on both sides, repeated pairs, lines in a script that is rare on "
                 "their side; pairs with an empty side always are",
                 Effect::result},
                {"identical", "duplicates", "scripts", "none"});
  visitor.real(options.max_ratio,
               {"max_ratio",
                "leave out pairs of which one side has more than so many times the tokens of the other, "
                "and 8 besides; 0 = none",
                Effect::result},
               {0, 1e6});
  visitor.integer(options.max_length, {"max_length", "leave out pairs of which a side has more tokens", Effect::result},
                  {2, 1 << 20});
  std::optional<Unused> given;
  if (!options.tokenizer.empty()) given = {"tokenizer", "is given"};
  if (!options.init_from.empty()) given = {"init_from", "has tokenizers"};
  visitor.text(
      options.tokenizer,
      {"tokenizer", "directory of a translator's tokenizers (default: learned from the text)", Effect::resolved},
      "DIR");
  visitor.choice(options.tokenizer_type,
                 {.name = "tokenizer_type",
                  .help = "kind of SentencePiece model to learn",
                  .effect = Effect::result,
                  .unused = given},
                 {"bpe", "unigram"});
  visitor.integer(options.vocab_size,
                  {.name = "vocab_size",
                   .help = "tokens to learn (default: the preset's)",
                   .effect = Effect::resolved,
                   .unused = given},
                  {1, 10'000'000});
  visitor.flag(options.separate_vocabularies,
               {.name = "separate_vocabularies",
                .help = "learn a vocabulary of each language, of `vocab_size` each, instead of one of both",
                .effect = Effect::result,
                .unused = given});
  visitor.flag(
      options.lowercase,
      {.name = "lowercase", .help = "learn tokenizers that fold case", .effect = Effect::result, .unused = given});
}

template <OptionsOf<TrainTranslatorOptions> Options>
void visit_model_settings(Options& options, auto& visitor) {
  visit_settings(options.shape, visitor);
  visitor.text(options.init_from,
               {"init_from", "start from the weights, shape and tokenizers of this translator", Effect::resolved},
               "DIR");
}

template <OptionsOf<TrainTranslatorOptions> Options>
void visit_run_settings(Options& options, auto& visitor) {
  visitor.integer(options.batch_tokens,
                  {"batch_tokens", "tokens of a batch on either side (default: the preset's)", Effect::resolved},
                  {1, 1 << 28});
  visitor.integer(options.accumulate, {"accumulate", "batches per step", Effect::result}, {1, 1 << 20});
  visitor.integer(options.steps,
                  {"steps", "optimizer steps (default: the preset's; with `init_from` 3 epochs)", Effect::resolved},
                  {1, 1'000'000'000'000});
  visitor.real(options.epochs, {"epochs", "instead, passes over the text"}, {0, 1e9, true, false});
  visitor.real(options.learning_rate,
               {"learning_rate", "peak learning rate (default: the preset's; with `init_from` 1e-4)", Effect::resolved},
               {0, 1000});
  visitor.real(options.warmup,
               {"warmup", "warm-up steps; below 1 a fraction of all steps (default: the preset's, at most a tenth)",
                Effect::resolved},
               {0, 1e12});
  visitor.text(
      options.schedule,
      {"schedule",
       fmt::format("learning rate after the warm-up: {} (default: the preset's)", fmt::join(schedule_names(), ", ")),
       Effect::resolved},
      "NAME");
  visitor.flag(options.extend, {"extend",
                                "continue a run to another number of steps even if its learning rates depend "
                                "on it"});
  visitor.real(options.label_smoothing, {"label_smoothing", "share of the label that all words get", Effect::result},
               {0, 1, false, true});
  visit_settings(options.optimizer, visitor);
  visit_settings(options.step, visitor);
  visitor.choice(options.metric,
                 {"metric", "of the validation pairs, chooses the weights that are published", Effect::result},
                 translation_metric_names());
  visitor.integer(options.patience,
                  {"patience", "validations without progress that end the run early; 0 = none do", Effect::result},
                  {0, 1'000'000});
  visitor.integer(options.average,
                  {"average",
                   "at the end also try the mean of the weights of the last so many snapshots, and publish it where it "
                   "is better; 1 = do not (default: the preset's)",
                   Effect::resolved},
                  {1, 1000});
  visitor.integer(options.validation_beam, {"validation_beam", "hypotheses in validation; 1 = greedy", Effect::result},
                  {1, 1024});
  visitor.integer(options.samples, {"samples", "validation pairs to show with their translation each time"}, {0, 1000});
  visitor.integer(options.validate_every,
                  {"validate_every", "steps between validations (default: an epoch, at most 1,000)", Effect::resolved},
                  {1});
  visitor.integer(options.save_every,
                  {"save_every", "steps between snapshots (default: as validations)", Effect::resolved}, {1});
  visitor.integer(options.log_every, {"log_every", "steps between log entries"}, {1});
  visitor.integer(options.keep, {"keep", "snapshots to retain"}, {1, 1'000'000});
  visitor.integer(options.seed, {"seed", "random seed; the same seed gives the same result", Effect::result},
                  {.low = 0});
}

template <OptionsOf<TrainTranslatorOptions> Options>
void visit_settings(Options& options, auto& visitor) {
  visit_data_settings(options, visitor);
  visit_model_settings(options, visitor);
  visit_run_settings(options, visitor);
}

}  // namespace roformer
