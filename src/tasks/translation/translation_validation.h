// Translates the validation pairs while a translator is trained: BLEU, chrF and some translations to look at.
#pragma once

#include <cstdint>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "base/progress.h"
#include "models/model.h"
#include "tasks/translation/translation_data.h"
#include "training/objective.h"

namespace roformer {

struct TranslationValidationOptions {
  int64_t beams = 1;
  int64_t batch_tokens = 4096;
  int64_t samples = 2;    // pairs to show
  std::string directory;  // of the run: gets validation-translations.txt and samples.json of the last validation
  Progress::Output messages;
  std::stop_token stop_token = {};
};

class TranslationValidation {
 public:
  // `model` and `data` must outlive it.
  TranslationValidation(const Model& model, const TranslationData& data, TranslationValidationOptions options);

  // Adds "bleu" and "chrf", 0 to 100. Interrupted if a stop is requested.
  void measure(Evaluation& evaluation) const;

 private:
  std::vector<std::string> translate() const;
  void show_samples(const std::vector<std::string>& translations) const;

  const Model& model_;
  const TranslationData& data_;
  TranslationValidationOptions options_;
};

}  // namespace roformer
