// Pre-training from plain text: corpus and tokenizer in, training directory out (cli.md, `pretrain`).
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "training/labeler.h"
#include "training/pretrain_options.h"
#include "training/trainer.h"

namespace roformer {

struct PretrainResult {
  bool already_finished = false;
  TrainingResult training;
  int64_t parameters = 0;
};

// The labeler for `options`, also for evaluating a trained model, with this number of rows of embeddings.
std::unique_ptr<Labeler> make_labeler(const PretrainOptions& options, const Tokenizer& tokenizer, int64_t rows);

// Of the labels of validation in a run with this seed: a substream for each sequence.
RandomStream validation_masks(int64_t seed);

// UsageError for invalid settings, DataError and FileError for files, Interrupted after saving the current state.
PretrainResult pretrain(const PretrainOptions& options, Backend& backend);

// In stages, at least one, which differ in nothing but stage_settings() (training/stages.h). All of them are one run in
// one directory, resumed like any other; more stages continue one that is finished.
PretrainResult pretrain(std::span<const PretrainOptions> stages, Backend& backend);

}  // namespace roformer
