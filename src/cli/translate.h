// The two works of `roformer translate`.
#pragma once

#include <optional>
#include <string>

#include "cli/sampling_choices.h"
#include "cli/text_run.h"
#include "generation/translator.h"
#include "text/translation_tokenizers.h"

namespace roformer {

struct TranslateOptions {
  TextRunOptions run;
  std::optional<int64_t> beams, max_new_tokens, no_repeat_ngram, alignment_layer;
  std::optional<double> length_penalty;
  double coverage_penalty = 0;
  std::string penalty_kind = "power", targets, prefixes;
  int64_t n_best = 1, max_source_tokens = 512, seed = 0;
  bool sample = false, alignment = false, markup = false;
  SamplingChoices sampling;
};

// What both work with; the members outlive it.
struct TranslationEngine {
  const Session& session;
  const TranslationTokenizers& tokenizers;
  const Translator& translator;
};

// Prints the translations of the input's lines.
void translate_lines(const TranslateOptions& options, const TranslationEngine& engine);
// Prints the scores of given translations (--score).
void score_translations(const TranslateOptions& options, const TranslationEngine& engine);

}  // namespace roformer
