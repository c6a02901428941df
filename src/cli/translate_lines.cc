// Translates the lines of the input, batch by batch.
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/json.h"
#include "base/progress.h"
#include "base/utf8.h"
#include "cli/parallel_lines.h"
#include "cli/translate.h"
#include "generation/word_alignment.h"
#include "inference/sentence_split.h"
#include "text/markup.h"

namespace roformer {
namespace {

// A text as sequences of the encoder: none if it is empty, several if it is long. Offsets are those in the whole text.
std::vector<Encoding> encode_parts(const Tokenizer& tokenizer, std::string_view text, int64_t limit) {
  std::vector<Encoding> sequences;
  Encoding whole = tokenizer.encode(text);
  const auto specials = std::ssize(tokenizer.encode("").ids), tokens = std::ssize(whole.ids);
  if (tokens <= specials) return sequences;
  if (tokens <= limit) {
    sequences.push_back(std::move(whole));
    return sequences;
  }
  const auto count = [&](std::string_view part) { return std::ssize(tokenizer.encode(part).ids); };
  CodePointPositions positions(text);
  for (const std::string_view part : split_text(text, limit, count)) {
    const int64_t first = positions.at(static_cast<size_t>(part.data() - text.data()));
    sequences.push_back(tokenizer.encode(part));
    for (auto& [begin, end] : sequences.back().offsets) {
      begin += first;
      end += first;
    }
  }
  return sequences;
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

// Lines of which something is to be said at the end.
struct NotedLines {
  int64_t lines = 0, count = 0, first = 0;
  std::string example = {};  // of the first

  void see(int64_t number, bool is_noted, std::string_view text = {}) {
    ++lines;
    if (!is_noted) return;
    if (count++ == 0) {
      first = number;
      example = text;
    }
  }
};

// One translation of a line; of a line in parts, the k-th hypotheses of all parts, or their last ones, joined.
struct LineTranslation {
  std::string text;
  std::vector<int32_t> ids;
  double score = 0;
  std::vector<AlignedToken> tokens = {};  // if they are aligned
};

class LineTranslator {
 public:
  LineTranslator(const TranslateOptions& options, const TranslationEngine& engine)
      : options_(options), engine_(engine), target_(*engine.tokenizers.target) {
    if (!options.prefixes.empty()) prefixes_.emplace(options.run.texts, options.prefixes, "a prefix");
  }

  void run();

 private:
  // The parts of one batch.
  struct Work {
    std::vector<std::vector<int32_t>> sources;
    std::vector<SourceSettings> settings;
    std::vector<std::unique_ptr<TargetPrefix>> prefixes;
    std::vector<size_t> first;                                  // part of each item
    std::vector<std::vector<Hypothesis>> results;               // of each part
    std::vector<std::vector<std::vector<int32_t>>> links = {};  // of each part and hypothesis, if they are aligned
  };
  bool aligns() const { return options_.alignment || options_.markup; }
  Work collect(const TextBatch& batch);
  void align(Work& work) const;
  void note(const TextBatch& batch, const Work& work);
  std::string source_text(const TextItem& item) const {
    return options_.markup ? parse_markup(item.text).text : item.text;
  }
  LineTranslation joined(const TextItem& item, std::string_view source, const Work& work, size_t part, size_t k) const;
  Json as_json(const LineTranslation& line, const TextItem& item) const;
  std::string shown_text(const LineTranslation& line, const TextItem& item) const;
  std::string shown(const TextItem& item, std::span<const LineTranslation> lines) const;
  void report() const;

  const TranslateOptions& options_;
  const TranslationEngine& engine_;
  const Tokenizer& target_;
  std::optional<ParallelLines> prefixes_;
  NotedLines repeating_, unmatched_;
};

LineTranslator::Work LineTranslator::collect(const TextBatch& batch) {
  Work work;
  for (const TextItem& item : batch.items) {
    work.first.push_back(work.sources.size());
    if (prefixes_) work.prefixes.push_back(std::make_unique<TargetPrefix>(target_, prefixes_->next()));
    const RandomStream line = substream({static_cast<uint64_t>(options_.seed), 0}, static_cast<uint64_t>(item.number));
    for (size_t part = 0; part < item.sequences.size(); ++part) {
      work.sources.push_back(item.sequences[part].ids);
      work.settings.push_back(
          {.prefix = prefixes_ && part == 0 ? work.prefixes.back().get() : nullptr, .random = substream(line, part)});
    }
  }
  return work;
}

void LineTranslator::align(Work& work) const {
  std::vector<std::vector<int32_t>> sources, targets;
  for (size_t part = 0; part < work.sources.size(); ++part) {
    for (const Hypothesis& one : work.results[part]) {
      sources.push_back(work.sources[part]);
      targets.push_back(one.ids);
    }
  }
  auto links = engine_.translator.align(sources, targets,
                                        [&](int32_t id) { return is_translated(*engine_.tokenizers.source, id); });
  auto next = links.begin();
  for (const auto& hypotheses : work.results) {
    const auto end = next + std::ssize(hypotheses);
    work.links.emplace_back(std::make_move_iterator(next), std::make_move_iterator(end));
    next = end;
  }
}

void LineTranslator::note(const TextBatch& batch, const Work& work) {
  for (size_t i = 0; i < batch.items.size(); ++i) {
    const TextItem& item = batch.items[i];
    const auto parts = std::span(work.results).subspan(work.first[i], item.sequences.size());
    repeating_.see(item.number,
                   std::ranges::any_of(parts, [](const auto& one) { return repeats_itself(one.front().ids); }));
    if (!options_.markup) continue;
    const std::vector<std::string> tags = parse_markup(item.text).unmatched;
    unmatched_.see(item.number, !tags.empty(), tags.empty() ? "" : tags.front());
  }
}

LineTranslation LineTranslator::joined(const TextItem& item, std::string_view source, const Work& work, size_t part,
                                       size_t k) const {
  LineTranslation line;
  for (const Encoding& sequence : item.sequences) {
    const std::vector<Hypothesis>& hypotheses = work.results[part];
    const size_t chosen = std::min(k, hypotheses.size() - 1);
    const Hypothesis& one = hypotheses[chosen];
    const std::string text = target_.decode(one.ids);
    if (!line.text.empty() && !text.empty()) line.text += ' ';
    if (aligns()) {
      const auto tokens =
          aligned_tokens(source, sequence.offsets, target_, one.ids, work.links[part][chosen], line.text.size());
      line.tokens.insert(line.tokens.end(), tokens.begin(), tokens.end());
    }
    line.text += text;
    line.ids.insert(line.ids.end(), one.ids.begin(), one.ids.end());
    line.score += one.score;
    ++part;
  }
  return line;
}

std::string LineTranslator::shown_text(const LineTranslation& line, const TextItem& item) const {
  return options_.markup ? place_markup(parse_markup(item.text), line.text, line.tokens) : line.text;
}

Json LineTranslator::as_json(const LineTranslation& line, const TextItem& item) const {
  Json json{{"text", shown_text(line, item)}, {"ids", line.ids}, {"score", line.score}};
  if (options_.alignment) json["alignment"] = word_pairs(source_text(item), line.text, line.tokens);
  return json;
}

std::string LineTranslator::shown(const TextItem& item, std::span<const LineTranslation> lines) const {
  if (options_.run.json) {
    Json json = as_json(lines.front(), item);
    if (options_.n_best > 1) {
      json["candidates"] = Json::array();
      for (const LineTranslation& one : lines) json["candidates"].push_back(as_json(one, item));
    }
    return dump_json(json);
  }
  std::string text;
  for (const LineTranslation& one : lines) {
    if (!text.empty()) text += '\n';
    if (options_.n_best > 1) text += fmt::format("{}\t{:.4f}\t", item.number, one.score);
    text += shown_text(one, item);
    if (options_.alignment) text += " ||| " + pharaoh(word_pairs(source_text(item), one.text, one.tokens));
  }
  return text;
}

void LineTranslator::report() const {
  if (repeating_.count > 0) {
    print_warning(
        fmt::format("{} of {} translations repeat themselves (a sequence of tokens comes four times in a row), "
                    "the first that of line {}; --no-repeat-ngram 3 forbids it",
                    repeating_.count, repeating_.lines, repeating_.first));
  }
  if (unmatched_.count > 0) {
    print_warning(
        fmt::format("{} of {} lines have tags that do not nest or lack a partner, the first {} in line {}; each "
                    "stays at its neighbors' translation",
                    unmatched_.count, unmatched_.lines, quote(unmatched_.example), unmatched_.first));
  }
}

void LineTranslator::run() {
  // A file is read far ahead, so that lines of one length are translated together.
  constexpr int64_t kWindow = 4;
  TextRunOptions run = options_.run;
  run.batch_tokens *= kWindow;
  const auto encode = [&](std::string_view item) {
    const Tokenizer& source = *engine_.tokenizers.source;
    if (!options_.markup) return encode_parts(source, item, options_.max_source_tokens);
    return encode_parts(source, parse_markup(item).text, options_.max_source_tokens);
  };
  const auto answer = [&](const TextBatch& batch, std::string& lines) {
    Work work = collect(batch);
    work.results = engine_.translator.run(work.sources, work.settings);
    if (aligns()) align(work);
    note(batch, work);
    append_lines(engine_.session.pool(), batch.items.size(), lines, [&](size_t i, std::string& line) {
      const TextItem& item = batch.items[i];
      const std::string source = source_text(item);
      size_t count = 1;
      for (size_t part = 0; part < item.sequences.size(); ++part) {
        count = std::max(count, work.results[work.first[i] + part].size());
      }
      std::vector<LineTranslation> all;
      for (size_t k = 0; k < count; ++k) all.push_back(joined(item, source, work, work.first[i], k));
      line = shown(item, all);
    });
  };
  answer_texts("translate", run, engine_.session, encode, answer);
  if (prefixes_) prefixes_->finish();
  report();
}

}  // namespace

void translate_lines(const TranslateOptions& options, const TranslationEngine& engine) {
  LineTranslator(options, engine).run();
}

}  // namespace roformer
