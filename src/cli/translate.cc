// roformer translate: lines of one language to lines of another.
#include "generation/translator.h"

#include <algorithm>
#include <cmath>
#include <iostream>
#include <nlohmann/json.hpp>
#include <numeric>

#include "base/error.h"
#include "base/inapplicable_error.h"
#include "base/json.h"
#include "base/progress.h"
#include "base/signal.h"
#include "cli/registry.h"
#include "cli/text_run.h"
#include "inference/sentence_split.h"
#include "text/translation_tokenizers.h"

namespace roformer {
namespace {

struct TranslateCommand {
  TextRunOptions run;
  std::optional<int64_t> beams, max_new_tokens, no_repeat_ngram;
  std::optional<double> length_penalty;
  std::string penalty_kind = "power", targets;
  int64_t n_best = 1, max_source_tokens = 512;
};

void describe(OptionSet& set, TranslateCommand& options) {
  constexpr int64_t kMaxTokens = 1 << 20;
  add_text_run(set, options.run);
  set.section("Decoding");
  set.add("--beam", options.beams,
          "hypotheses of the beam search; 1 = greedy (default: the directory's generation_config.json, else 4)",
          {1, 1024});
  set.add("--length-penalty", options.length_penalty,
          "A: of hypotheses that differ in length the one with the best log P / length^A is taken (default: the "
          "directory's, else 0.6)",
          {-100, 100});
  set.add_choice("--length-penalty-kind", options.penalty_kind, {"power", "gnmt"},
                 "what divides log P: length^A (fairseq, transformers), or ((5 + length) / 6)^A (GNMT)");
  set.add("--n-best", options.n_best, "print so many hypotheses of each line, at most --beam", {1, 1024});
  set.add("--max-new-tokens", options.max_new_tokens,
          "tokens of a translation (default: three times those of the line and 32 more, at most the directory's "
          "max_length)",
          {1, kMaxTokens});
  set.add("--no-repeat-ngram", options.no_repeat_ngram,
          "no sequence of so many tokens comes twice in a translation; 0 = off (default: the directory's, else 0)",
          {0, kMaxTokens});
  set.section("Input");
  set.add("--max-source-tokens", options.max_source_tokens,
          "translate a line of more tokens in parts, divided between sentences", {2, kMaxTokens});
  set.add("--score", options.targets,
          "do not translate: print the score of each line of this file as the translation of its line of the input",
          "FILE");
}

TranslatorOptions options_of(const TranslateCommand& options, const Session& session, std::stop_token stop) {
  TranslatorOptions result = read_translator_options(session.directory());
  result.beams = options.beams.value_or(result.beams);
  result.length_penalty = options.length_penalty.value_or(result.length_penalty);
  result.penalty_kind = options.penalty_kind == "gnmt" ? LengthPenalty::gnmt : LengthPenalty::power;
  result.max_new_tokens = options.max_new_tokens;
  result.no_repeat_ngram = options.no_repeat_ngram.value_or(result.no_repeat_ngram);
  result.candidates = options.n_best;
  result.batch_tokens = options.run.batch_tokens;
  result.stop_token = std::move(stop);
  return result;
}

// A text as sequences of the encoder: none if it is empty, several if it is long.
ItemEncoder encode_source(const Tokenizer& tokenizer, int64_t limit) {
  const auto specials = std::ssize(tokenizer.encode("").ids);
  return [&tokenizer, limit, specials](std::string_view item) {
    std::vector<Encoding> sequences;
    Encoding whole = tokenizer.encode(item);
    const auto tokens = std::ssize(whole.ids);
    if (tokens <= specials) return sequences;
    if (tokens <= limit) {
      sequences.push_back(std::move(whole));
      return sequences;
    }
    const auto count = [&](std::string_view part) { return std::ssize(tokenizer.encode(part).ids); };
    for (const std::string_view part : split_text(item, limit, count)) sequences.push_back(tokenizer.encode(part));
    return sequences;
  };
}

std::vector<std::vector<int32_t>> sources_of(const TextBatch& batch) {
  std::vector<std::vector<int32_t>> sources;
  for (const TextItem& item : batch.items) {
    for (const Encoding& sequence : item.sequences) sources.push_back(sequence.ids);
  }
  return sources;
}

// Whether a sequence of at most eight tokens comes four times in a row.
bool repeats_itself(std::span<const int32_t> ids) {
  constexpr size_t kLongest = 8, kTimes = 4;
  for (size_t size = 1; size <= kLongest; ++size) {
    size_t same = 0;  // tokens in a row that equal the one `size` before
    for (size_t i = size; i < ids.size(); ++i) {
      same = ids[i] == ids[i - size] ? same + 1 : 0;
      if (same == (kTimes - 1) * size) return true;
    }
  }
  return false;
}

// Lines that were translated by repetition.
class Repetitions {
 public:
  void see(const TextItem& item, bool repeats) {
    ++lines_;
    if (!repeats) return;
    if (count_++ == 0) first_ = item.number;
  }
  void report() const {
    if (count_ == 0) return;
    print_warning(
        fmt::format("{} of {} translations repeat themselves (a sequence of tokens comes four times in a row), "
                    "the first that of line {}; --no-repeat-ngram 3 forbids it",
                    count_, lines_, first_));
  }

 private:
  int64_t lines_ = 0, count_ = 0, first_ = 0;
};

// The k-th hypotheses of a line's parts, as one; where a part has fewer, its last one.
struct LineTranslation {
  std::string text;
  std::vector<int32_t> ids;
  double score = 0;
};

LineTranslation joined(std::span<const std::vector<Hypothesis>> parts, size_t k, const Tokenizer& target) {
  LineTranslation line;
  for (const std::vector<Hypothesis>& hypotheses : parts) {
    const Hypothesis& one = hypotheses[std::min(k, hypotheses.size() - 1)];
    const std::string text = target.decode(one.ids);
    if (!line.text.empty() && !text.empty()) line.text += ' ';
    line.text += text;
    line.ids.insert(line.ids.end(), one.ids.begin(), one.ids.end());
    line.score += one.score;
  }
  return line;
}

Json as_json(const LineTranslation& line) { return {{"text", line.text}, {"ids", line.ids}, {"score", line.score}}; }

std::string shown(const TextItem& item, std::span<const LineTranslation> lines, const TranslateCommand& options) {
  if (options.run.json) {
    Json json = as_json(lines.front());
    if (options.n_best > 1) {
      json["candidates"] = Json::array();
      for (const LineTranslation& one : lines) json["candidates"].push_back(as_json(one));
    }
    return dump_json(json);
  }
  if (options.n_best == 1) return lines.front().text;
  std::string text;
  for (const LineTranslation& one : lines) {
    text += fmt::format("{}{}\t{:.4f}\t{}", text.empty() ? "" : "\n", item.number, one.score, one.text);
  }
  return text;
}

void translate(const TranslateCommand& options, const Session& session, const TranslationTokenizers& tokenizers,
               const Translator& translator) {
  Repetitions repetitions;
  // A file is read far ahead, so that lines of one length are translated together.
  constexpr int64_t kWindow = 4;
  TextRunOptions run = options.run;
  run.batch_tokens *= kWindow;
  const Tokenizer& target = *tokenizers.target;
  const auto answer = [&](const TextBatch& batch, std::string& lines) {
    const auto results = translator.run(sources_of(batch));
    std::vector<size_t> first;  // result of each item
    size_t begin = 0;
    for (const TextItem& item : batch.items) {
      first.push_back(begin);
      const auto parts = std::span(results).subspan(begin, item.sequences.size());
      repetitions.see(item,
                      std::ranges::any_of(parts, [](const auto& one) { return repeats_itself(one.front().ids); }));
      begin += item.sequences.size();
    }
    append_lines(session.pool(), batch.items.size(), lines, [&](size_t i, std::string& line) {
      const TextItem& item = batch.items[i];
      const auto parts = std::span(results).subspan(first[i], item.sequences.size());
      size_t count = 1;
      for (const auto& hypotheses : parts) count = std::max(count, hypotheses.size());
      std::vector<LineTranslation> all;
      for (size_t k = 0; k < count; ++k) all.push_back(joined(parts, k, target));
      line = shown(item, all, options);
    });
  };
  answer_texts("translate", run, session, encode_source(*tokenizers.source, options.max_source_tokens), answer);
  repetitions.report();
}

// Line counts that differ are an error before anything is computed, where both files can be read twice.
void check_line_counts(const std::string& input, const std::string& targets) {
  if (input.empty() || input == "-" || targets == "-") return;
  const auto count = [](const std::string& path) {
    TextReader reader({.texts = {}, .input = path});
    for (std::string line; reader.next(line);) continue;
    return reader.count();
  };
  const int64_t lines = count(input), translations = count(targets);
  if (lines == translations) return;
  throw DataError("{} has {}, {} has {}: expected a translation of each line", FilePath(input), counted(lines, "line"),
                  FilePath(targets), counted(translations, "line"));
}

// The score of a given translation, which the search would give it.
void score(const TranslateCommand& options, const Session& session, const TranslationTokenizers& tokenizers,
           const Translator& translator) {
  check_line_counts(options.run.texts.input, options.targets);
  TextReader reader({.texts = {}, .input = options.targets});
  const TranslatorOptions& how = translator.options();
  const auto answer = [&](const TextBatch& batch, std::string& lines) {
    std::vector<std::vector<int32_t>> targets;
    std::string text;
    for (size_t i = 0; i < batch.items.size(); ++i) {
      if (!reader.next(text)) {
        throw DataError("{}: has {} lines, the input more", FilePath(options.targets), reader.count());
      }
      targets.push_back(tokenizers.target->encode(text).ids);
    }
    const auto logs = translator.score(sources_of(batch), targets);
    append_lines(session.pool(), batch.items.size(), lines, [&](size_t i, std::string& line) {
      const double sum = std::accumulate(logs[i].begin(), logs[i].end(), 0.0);
      const double by_length = hypothesis_score(sum, logs[i].size(), how.length_penalty, how.penalty_kind);
      line = options.run.json ? dump_json({{"score", by_length}, {"log_probability", sum}, {"tokens", logs[i].size()}})
                              : fmt::format("{:.6f}", by_length);
    });
  };
  answer_texts("translate", options.run, session, encode_text(*tokenizers.source, {}), answer);
  std::string more;
  if (reader.next(more)) {
    throw DataError("{}: has more lines than the input's {}", FilePath(options.targets), reader.count() - 1);
  }
}

// What decides how to search says nothing of the score of a given translation.
void check_scoring(const TranslateCommand& options) {
  for (const auto& [name, given] :
       {std::pair("beam", options.beams.has_value()), std::pair("n_best", options.n_best != 1),
        std::pair("max_new_tokens", options.max_new_tokens.has_value()),
        std::pair("no_repeat_ngram", options.no_repeat_ngram.has_value())}) {
    if (given) throw InapplicableError("{} does not search: expected no {}", FieldName("score"), FieldName(name));
  }
}

void run(const TranslateCommand& options) {
  if (!options.targets.empty()) check_scoring(options);
  const Session session(options.run.model, session_options(options.run));
  print_warnings(session.notes());
  const TranslationTokenizers tokenizers = load_translation_tokenizers(session.directory());
  const StopOnSignal stop;
  const Translator translator(session.model(), options_of(options, session, stop.token()));
  if (!options.targets.empty()) return score(options, session, tokenizers, translator);
  translate(options, session, tokenizers, translator);
}

}  // namespace

Command translate_command() {
  return {.name = "translate",
          .summary = "Translate lines with an encoder-decoder",
          .group = "Use",
          .example = "roformer translate --model opus-mt-en-de --input english.txt > german.txt",
          .prepare = prepare_with<TranslateCommand>(describe, run)};
}

}  // namespace roformer
