// Evaluates files of translations beside files of references.
#include <fmt/format.h>

#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/inapplicable_error.h"
#include "base/progress.h"
#include "base/signal.h"
#include "cli/aligned.h"
#include "cli/evaluate.h"
#include "cli/text_input.h"
#include "metrics/score_table.h"
#include "metrics/translation/corpus.h"

namespace roformer {
namespace {

struct Segments {
  std::string file;
  std::vector<std::string> texts;
};

Segments read_segments(const std::string& file, const std::stop_token& stop) {
  Segments result{.file = file == "-" ? "standard input" : file, .texts = {}};
  TextReader reader({.texts = {}, .input = file}, stop);
  for (std::string text; reader.next(text);) result.texts.push_back(std::move(text));
  if (result.texts.empty()) throw DataError("{} is empty, expected a segment a line", FilePath(result.file));
  return result;
}

// All files have as many segments as the first one.
std::vector<Segments> read_all(const TranslationFiles& files, const std::stop_token& stop) {
  std::vector<std::string> names = files.hypotheses;
  names.insert(names.end(), files.references.begin(), files.references.end());
  if (std::ranges::count(names, "-") > 1) {
    throw UsageError("{} and {}: only one of the files can be standard input", FieldName("hypotheses"),
                     FieldName("references"));
  }
  std::vector<Segments> all;
  for (const std::string& name : names) {
    all.push_back(read_segments(name, stop));
    if (all.back().texts.size() == all.front().texts.size()) continue;
    throw DataError("{} has {} and {} has {}, expected as many", FilePath(all.front().file),
                    counted(std::ssize(all.front().texts), "line"), FilePath(all.back().file),
                    counted(std::ssize(all.back().texts), "line"));
  }
  return all;
}

// Scores of tokenized text are not comparable, and higher.
void warn_of_tokenized(const Segments& hypotheses) {
  constexpr int64_t kMany = 100;
  const auto tokenized = std::ranges::count_if(hypotheses.texts, [](const auto& text) { return text.ends_with(" ."); });
  if (tokenized < kMany) return;
  print_warning(fmt::format("{}: {} lines end in \" .\" as tokenized text does; scores are meant for detokenized text",
                            hypotheses.file, tokenized));
}

std::string interval_words(const std::optional<Bounds>& interval, const char* format) {
  if (!interval) return "–";
  return fmt::format(fmt::runtime(format), (*interval)[0], (*interval)[1]);
}

std::string segments_words(int64_t segments, int64_t references) {
  return fmt::format("{}, {}{}", counted(segments, "segment"), counted(references, "reference"),
                     references > 1 ? " each" : "");
}

void print_scores(const EvaluateCommand& options, const TranslationStatistics& statistics, int64_t references,
                  const std::vector<TranslationMetricName>& names, ThreadPool& pool) {
  const ScoreTable table = score_table(translation_metrics(statistics), kTranslationBootstrap, pool);
  if (options.json) {
    Json json = score_json(options.task, table);
    for (size_t i = 0; i < names.size(); ++i) json["signatures"][table.scores[i].name] = names[i].signature;
    std::cout << dump_json(json) << "\n";
    return;
  }
  std::string text = segments_words(table.examples, references) + "\n";
  for (size_t i = 0; i < names.size(); ++i) {
    text += fmt::format("{} = {:.2f}", names[i].name, table.scores[i].value);
    if (i == 0) text += " " + bleu_parts(statistics.bleu_sums());
    text += fmt::format("\n  95 % interval {}; {}\n", interval_words(table.scores[i].interval, "{:.2f} to {:.2f}"),
                        names[i].signature);
  }
  std::cout << text;
}

void print_comparison(const EvaluateCommand& options, const std::vector<TranslationStatistics>& both,
                      int64_t references, const std::vector<TranslationMetricName>& names, ThreadPool& pool) {
  const MetricSet first = translation_metrics(both[0]), second = translation_metrics(both[1]);
  const std::vector<MetricDifference> differences = bootstrap_differences(first, second, kTranslationBootstrap, pool);
  const ScoreTable a = score_table(first, kTranslationBootstrap, pool);
  const ScoreTable b = score_table(second, kTranslationBootstrap, pool);
  const std::vector<std::string>& files = options.translations.hypotheses;
  if (options.json) {
    Json json = difference_json(differences);
    json.update({{"task", options.task}, {"n", first.examples}, {"hypotheses", files}});
    for (size_t i = 0; i < names.size(); ++i) {
      const auto bounds = [i](const ScoreTable& of) {
        return of.scores[i].interval ? Json(*of.scores[i].interval) : Json();
      };
      json["interval95_each"][a.scores[i].name] = {bounds(a), bounds(b)};
      json["signatures"][a.scores[i].name] = names[i].signature;
    }
    std::cout << dump_json(json) << "\n";
    return;
  }
  std::vector<std::vector<std::string>> rows = {{"", "A", "B", "B - A", "95 % interval", "p"}};
  std::string signatures;
  for (size_t i = 0; i < names.size(); ++i) {
    rows.push_back({names[i].name, score_text(a.scores[i], 2), score_text(b.scores[i], 2),
                    fmt::format("{:+.2f}", differences[i].second - differences[i].first),
                    interval_words(differences[i].interval, "{:+.2f} to {:+.2f}"),
                    differences[i].p ? fmt::format("{:.4f}", *differences[i].p) : "–"});
    signatures += fmt::format("{}: {}\n", names[i].name, names[i].signature);
  }
  std::cout << fmt::format("{}; A = {}, B = {}\n{}{}", segments_words(first.examples, references), files[0], files[1],
                           aligned(rows), signatures);
}

}  // namespace

void evaluate_translation(const EvaluateCommand& options) {
  const TranslationFiles& files = options.translations;
  if (files.hypotheses.empty()) throw UsageError("{} is required for {}", FieldName("hypotheses"), options.task);
  if (files.references.empty()) throw UsageError("{} is required", FieldName("references"));
  if (files.hypotheses.size() > 2) {
    throw UsageError("{} has {} files, expected one or two", FieldName("hypotheses"), files.hypotheses.size());
  }
  const StopOnSignal stop;
  const std::vector<Segments> all = read_all(files, stop.token());
  const size_t systems = files.hypotheses.size();
  std::vector<std::vector<std::string>> references;
  for (size_t i = systems; i < all.size(); ++i) references.push_back(all[i].texts);
  const TranslationOptions settings{
      .bleu = {.tokenizer = find_bleu_tokenizer(files.tokenize), .lowercase = files.lowercase},
      .chrf = {.word_order = static_cast<int>(files.chrf_word_order), .lowercase = files.lowercase}};
  ThreadPool pool(static_cast<int>(options.engine.threads));
  std::vector<TranslationStatistics> statistics;
  for (size_t i = 0; i < systems; ++i) {
    warn_of_tokenized(all[i]);
    statistics.push_back(translation_statistics(all[i].texts, references, settings, pool, stop.token()));
  }
  const auto count = std::ssize(references);
  const std::vector<TranslationMetricName> names = translation_metric_names(settings, count);
  if (systems == 1) {
    print_scores(options, statistics[0], count, names, pool);
  } else {
    print_comparison(options, statistics, count, names, pool);
  }
}

}  // namespace roformer
