// Pre-training from plain text: corpus and tokenizer in, training directory out (cli.md, `pretrain`). tasks/ are what
// people do, each one function with an options struct; they read and write files and know no command line syntax.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "training/labelling.h"
#include "training/trainer.h"

namespace roformer {

// An empty optional means: what the preset says.
struct PretrainOptions {
  std::string objective = "mlm";                   // or "clm"
  std::vector<std::string> data, validation_data;  // text files, also gzip and zstd, or directories of such
  std::optional<double> validation_fraction;       // without validation data; 0.02, at most 1,000 sequences, if empty
  std::optional<int64_t> reader_threads;           // that tokenise ahead of the training; the backend's if empty
  std::string documents = "automatic";             // what ends a document
  std::string tokenizer;                           // directory; init_from's if empty
  std::string output;
  std::string init_from;  // a model directory whose weights and shape to start from

  ShapeOptions shape;
  std::string config;  // a config.json instead of the preset's shape

  std::optional<int64_t> max_length, batch_tokens, steps;
  std::optional<double> epochs;
  int64_t accumulate = 1;
  std::optional<double> learning_rate;
  double warmup = 0.1;  // a share of the steps below 1, else steps
  std::string schedule = "linear";
  double weight_decay = 0.01, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, clip_norm = 1;
  std::optional<double> mask_probability;  // mlm: 0.15 if empty
  bool whole_word = false;                 // mlm
  int64_t validate_every = 100, save_every = 100, log_every = 10, histograms_every = 0, keep = 2;
  int64_t seed = 1;

  Progress::Output messages = Progress::Output::standard_error();  // of progress and notices
  // Called when all settings are found good, before anything is trained; whether there is nothing left to train.
  std::function<void(bool already_finished)> accepted;
  std::stop_token stop_token = {};  // looked at while text is read, and after each step
};

struct PretrainResult {
  bool already_finished = false;
  TrainingResult training;
  int64_t parameters = 0;
};

// What is learned of a sequence by `options`: also what a trained model is evaluated with.
std::unique_ptr<Labelling> make_labelling(const PretrainOptions& options, const Tokenizer& tokenizer);

// Errors: UsageError for settings that cannot be, DataError and FileError for files, Interrupted after saving what
// was trained.
PretrainResult pretrain(const PretrainOptions& options, Backend& backend);

// What a preset says beside the model's shape.
struct RunDefaults {
  int64_t max_length, batch_tokens, steps;
  double learning_rate;
};
RunDefaults preset_run(const std::string& name);

}  // namespace roformer
