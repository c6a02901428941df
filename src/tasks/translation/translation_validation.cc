#include "tasks/translation/translation_validation.h"

#include <algorithm>
#include <utility>

#include "base/file.h"
#include "data/parallel/script.h"
#include "generation/translator.h"
#include "metrics/translation/corpus.h"
#include "training/run_samples.h"

namespace roformer {

namespace {

// That of languages without spaces between words compares characters.
BleuTokenizer tokenizer_for(const std::vector<std::string>& references) {
  int64_t without_spaces = 0;
  for (const std::string& text : references) {
    const Script script = script_of(text);
    if (script == Script::ideographic || script == Script::thai) ++without_spaces;
  }
  return 2 * without_spaces > std::ssize(references) ? BleuTokenizer::character : BleuTokenizer::mteval13a;
}

}  // namespace

TranslationValidation::TranslationValidation(const Model& model, const TranslationData& data,
                                             TranslationValidationOptions options)
    : model_(model), data_(data), options_(std::move(options)) {}

std::vector<std::string> TranslationValidation::translate() const {
  const Translator translator(model_, {.beams = options_.beams,
                                       .banned = {static_cast<int32_t>(model_.config().pad_id)},
                                       .batch_tokens = options_.batch_tokens,
                                       .stop_token = options_.stop_token});
  std::vector<std::vector<int32_t>> sources;
  for (int64_t i = 0; i < data_.validation.size(); ++i) {
    const auto source = data_.validation.source.sequence(i);
    sources.emplace_back(source.begin(), source.end());
  }
  std::vector<std::string> translations;
  for (const std::vector<Hypothesis>& best : translator.run(sources)) {
    translations.push_back(data_.tokenizers.target->decode(best.front().ids));
  }
  return translations;
}

void TranslationValidation::measure(Evaluation& evaluation) const {
  if (data_.validation.size() == 0) return;
  const std::vector<std::string> translations = translate();
  const TranslationOptions how{.bleu = {.tokenizer = tokenizer_for(data_.references)}};
  BleuStatistics bleu;
  ChrfStatistics chrf;
  std::string lines;
  for (size_t i = 0; i < translations.size(); ++i) {
    const std::string_view reference = data_.references[i];
    bleu.add(bleu_statistics(translations[i], {&reference, 1}, how.bleu));
    chrf.add(chrf_statistics(translations[i], {&reference, 1}, how.chrf));
    lines += translations[i] + "\n";
  }
  evaluation.metrics.emplace_back("bleu", bleu_score(bleu).score);
  evaluation.metrics.emplace_back("chrf", chrf_score(chrf));
  write_file_atomically(join_path(options_.directory, "validation-translations.txt"), lines);
  show_samples(translations);
}

void TranslationValidation::show_samples(const std::vector<std::string>& translations) const {
  RunSamples samples{.columns = {"source", "translation", "reference"}, .rows = {}};
  const auto count = std::min(static_cast<size_t>(options_.samples), translations.size());
  for (size_t k = 0; k < count; ++k) {
    const size_t i = k * translations.size() / count;
    samples.rows.push_back({data_.sources[i], translations[i], data_.references[i]});
    options_.messages.write(fmt::format("  source       {}\n  translation  {}\n  reference    {}\n", data_.sources[i],
                                        translations[i], data_.references[i]));
  }
  if (count > 0) write_samples(samples, options_.directory);
}

}  // namespace roformer
