// Pre-training from plain text: corpus and tokenizer in, training directory out (cli.md, `pretrain`).
#pragma once

#include <cstdint>
#include <memory>

#include "training/labeler.h"
#include "training/pretrain_options.h"
#include "training/trainer.h"

namespace roformer {

struct PretrainResult {
  bool already_finished = false;
  TrainingResult training;
  int64_t parameters = 0;
};

// What is learned of a sequence by `options`: also what a trained model is evaluated with.
std::unique_ptr<Labeler> make_labeler(const PretrainOptions& options, const Tokenizer& tokenizer);

// Errors: UsageError for settings that cannot be, DataError and FileError for files, Interrupted after saving what
// was trained.
PretrainResult pretrain(const PretrainOptions& options, Backend& backend);

}  // namespace roformer
