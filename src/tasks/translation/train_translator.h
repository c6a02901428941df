// Trains an encoder-decoder from parallel text: two text files in, a directory out that `translate` uses.
#pragma once

#include <cstdint>

#include "backend/backend.h"
#include "tasks/translation/translator_options.h"
#include "training/trainer.h"

namespace roformer {

struct TrainTranslatorResult {
  bool already_finished = false;
  TrainingResult training;
  int64_t parameters = 0;
};

// UsageError for invalid settings, DataError and FileError for files, Interrupted after saving the current state. A run
// that was begun in options.output is resumed.
TrainTranslatorResult train_translator(const TrainTranslatorOptions& options, Backend& backend);

}  // namespace roformer
