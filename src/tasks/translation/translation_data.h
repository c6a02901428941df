// The data of training a translator: parallel text read, filtered, and as token ids; and its tokenizers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/parallel.h"
#include "data/parallel/pair_filter.h"
#include "tasks/translation/translation_objective.h"
#include "tasks/translation/translator_options.h"
#include "text/translation_tokenizers.h"

namespace roformer {

struct TranslationData {
  TranslationTokenizers tokenizers;
  PairSequences training, validation;
  std::vector<std::string> sources, references;  // texts of the validation pairs
  Json hashes;                                   // of all texts, for the run's settings
  std::vector<std::string> notices;              // what was read and left out, a sentence each
  std::vector<std::string> warnings;             // what looks wrong about it
};

// Reads the files that `options` name. Tokenizers are those of options.tokenizer or init_from, else of a run that was
// begun in options.output, else learned from the training text. UsageError for files that do not go together; DataError
// for texts of different numbers of lines, for the same text on both sides, and where no pair is left.
TranslationData read_translation_data(const TrainTranslatorOptions& options, ThreadPool& pool);

}  // namespace roformer
