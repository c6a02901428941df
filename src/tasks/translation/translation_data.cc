#include "tasks/translation/translation_data.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_set>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/progress.h"
#include "base/stop.h"
#include "data/parallel/parallel_text.h"
#include "formats/directory_weights.h"
#include "text/learn/text_counts.h"
#include "text/learn/translation_training.h"

namespace roformer {

namespace {

constexpr int64_t kHeldOut = 1000, kHeldOutShare = 50;  // pairs, at most 1 of so many

ParallelText read_text(const std::vector<std::string>& sources, const std::vector<std::string>& targets,
                       const TrainTranslatorOptions& options) {
  ParallelText text = read_parallel_text(sources, targets, options.stop_token);
  if (text.source_hash == text.target_hash) {
    throw DataError("{} and {} are the same text, expected translations", FilePath(sources.front()),
                    FilePath(targets.front()));
  }
  return text;
}

// The numbers of pairs to train on, and of those to validate on.
struct Division {
  std::vector<int64_t> training = {}, validation = {};
};

// Every so manieth pair, so that all parts of the text are represented.
Division hold_out(const std::vector<int64_t>& pairs) {
  const int64_t count = std::min(kHeldOut, std::ssize(pairs) / kHeldOutShare);
  Division division;
  if (count == 0) return {.training = pairs};
  const int64_t every = std::ssize(pairs) / count;
  for (int64_t i = 0; i < std::ssize(pairs); ++i) {
    const bool held = i % every == every - 1 && i / every < count;
    (held ? division.validation : division.training).push_back(pairs[static_cast<size_t>(i)]);
  }
  return division;
}

PairFilterOptions filter_options(const TrainTranslatorOptions& options) {
  const auto has = [&](const char* name) { return std::ranges::find(options.filters, name) != options.filters.end(); };
  if (has("none") && options.filters.size() > 1) {
    throw UsageError("{} is none and others, expected either", FieldName("filters"));
  }
  return {.identical = has("identical"),
          .duplicates = has("duplicates"),
          .scripts = has("scripts"),
          .max_ratio = options.max_ratio,
          .max_tokens = options.max_length};
}

TranslationTokenizers learn_tokenizers(const TrainTranslatorOptions& options, const ParallelText& text,
                                       std::span<const int64_t> pairs) {
  using Kind = SentencePieceModel::Kind;
  SpacedWordCounter source, target;
  for (const int64_t i : pairs) {
    source.add(text.source[i]);
    target.add(text.target[i]);
  }
  const TranslatorPreset& preset = translator_preset(options.shape.preset);
  options.messages.write(fmt::format("learning {} from {}\n",
                                     options.separate_vocabularies ? "two vocabularies" : "a vocabulary",
                                     counted(std::ssize(pairs), "pair")));
  return learn_translation_tokenizers(source.release(), target.release(),
                                      {.kind = options.tokenizer_type == "unigram" ? Kind::unigram : Kind::bpe,
                                       .vocab_size = options.vocab_size.value_or(preset.vocabulary),
                                       .joint = !options.separate_vocabularies,
                                       .lowercase = options.lowercase,
                                       .languages = {}});
}

TranslationTokenizers find_tokenizers(const TrainTranslatorOptions& options, const ParallelText& text,
                                      std::span<const int64_t> pairs) {
  if (!options.tokenizer.empty()) return load_translation_tokenizers(options.tokenizer);
  if (!options.init_from.empty()) return load_translation_tokenizers(model_directory(options.init_from));
  const bool begun = exists(join_path(options.output, "training/settings.json"));
  if (begun && exists(join_path(options.output, "source.spm"))) return load_translation_tokenizers(options.output);
  return learn_tokenizers(options, text, pairs);
}

// Appends the pairs that are not too long or too different in length, and returns their numbers.
std::vector<int64_t> encode_pairs(const ParallelText& text, std::span<const int64_t> pairs,
                                  const TranslationTokenizers& tokenizers, const PairFilterOptions& filter,
                                  const std::stop_token& stop, ThreadPool& pool, PairCounts& counts,
                                  PairSequences& sequences) {
  constexpr size_t kBlock = 8192;
  std::vector<int64_t> retained;
  for (size_t begin = 0; begin < pairs.size(); begin += kBlock) {
    throw_if_stopped(stop);
    const auto block = pairs.subspan(begin, std::min(kBlock, pairs.size() - begin));
    std::vector<std::array<std::vector<int32_t>, 2>> ids(block.size());
    for_chunks(pool, std::ssize(block), 64, [&](int64_t first, int64_t end) {
      for (int64_t i = first; i < end; ++i) {
        const auto at = static_cast<size_t>(i);
        ids[at] = {tokenizers.source->encode(text.source[block[at]]).ids,
                   tokenizers.target->encode(text.target[block[at]]).ids};
      }
    });
    for (size_t i = 0; i < block.size(); ++i) {
      const auto& [source, target] = ids[i];
      if (!retains_lengths(std::ssize(source), std::ssize(target), filter, counts)) continue;
      sequences.source.append(source);
      sequences.target.append(target);
      retained.push_back(block[i]);
    }
  }
  return retained;
}

// The words of a side, of the first lines.
using WordSet = std::unordered_set<std::string>;

void for_words(const LineStore& lines, const std::function<void(std::string_view)>& use) {
  constexpr int64_t kLines = 20'000;
  for (int64_t i = 0; i < std::min(kLines, lines.size()); ++i) {
    std::string_view rest = lines[i];
    while (!rest.empty()) {
      const size_t end = std::min(rest.find(' '), rest.size());
      if (end > 0) use(rest.substr(0, end));
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
  }
}

WordSet words_of(const LineStore& lines) {
  WordSet words;
  for_words(lines, [&](std::string_view word) { words.emplace(word); });
  return words;
}

double share_known(const LineStore& lines, const WordSet& words) {
  int64_t known = 0, all = 0;
  for_words(lines, [&](std::string_view word) {
    ++all;
    known += words.contains(std::string(word)) ? 1 : 0;
  });
  return all == 0 ? 0 : static_cast<double>(known) / static_cast<double>(all);
}

// Whether the validation text looks like its languages were exchanged: the words of each side are better known on the
// other side of the training text.
bool looks_swapped(const ParallelText& training, const ParallelText& validation) {
  const WordSet source = words_of(training.source), target = words_of(training.target);
  return share_known(validation.source, target) > share_known(validation.source, source) &&
         share_known(validation.target, source) > share_known(validation.target, target);
}

int64_t count_common(const ParallelText& training, const ParallelText& validation) {
  PairSet pairs;
  for (int64_t i = 0; i < validation.size(); ++i) pairs.insert(pair_key(validation, i));
  int64_t common = 0;
  for (int64_t i = 0; i < training.size(); ++i) common += pairs.contains(pair_key(training, i)) ? 1 : 0;
  return common;
}

void check_validation_options(const TrainTranslatorOptions& options) {
  if (options.validation_source.empty() == options.validation_target.empty()) return;
  throw UsageError("{} without {}: expected both or neither",
                   FieldName(options.validation_source.empty() ? "validation_target" : "validation_source"),
                   FieldName(options.validation_source.empty() ? "validation_source" : "validation_target"));
}

}  // namespace

TranslationData read_translation_data(const TrainTranslatorOptions& options, ThreadPool& pool) {
  check_validation_options(options);
  const PairFilterOptions filter = filter_options(options);
  TranslationData data;
  const ParallelText text = read_text(options.source, options.target, options);
  data.hashes = {{"source", text.source_hash}, {"target", text.target_hash}};
  PairCounts counts;
  Division division{.training = filter_texts(text, filter, counts)};

  ParallelText other;
  const bool held_out = options.validation_source.empty();
  if (held_out) {
    division = hold_out(division.training);
  } else {
    other = read_text(options.validation_source, options.validation_target, options);
    data.hashes["validation-source"] = other.source_hash;
    data.hashes["validation-target"] = other.target_hash;
    if (looks_swapped(text, other)) {
      data.warnings.emplace_back(
          "the validation text looks like its languages were swapped: its source has more words of the target's "
          "training text, and its target more of the source's");
    }
    if (const int64_t common = count_common(text, other); common > 0) {
      data.warnings.push_back(fmt::format("{} to train on {} also to validate on, so that its scores are too good",
                                          counted(common, "pair"), common == 1 ? "is" : "are"));
    }
  }
  data.tokenizers = find_tokenizers(options, text, division.training);
  encode_pairs(text, division.training, data.tokenizers, filter, options.stop_token, pool, counts, data.training);
  if (data.training.size() == 0) throw DataError("no pair is left to train on: {}", counts.describe());
  data.notices.push_back(counts.describe());

  // A test set is taken as it is, but for what no translation can be scored by.
  const ParallelText& validated = held_out ? text : other;
  const PairFilterOptions usable{
      .identical = false, .duplicates = false, .scripts = false, .max_tokens = filter.max_tokens};
  PairCounts validation_counts{.read = std::ssize(division.validation), .retained = std::ssize(division.validation)};
  if (!held_out) division.validation = filter_texts(other, usable, validation_counts);
  for (const int64_t i : encode_pairs(validated, division.validation, data.tokenizers, usable, options.stop_token, pool,
                                      validation_counts, data.validation)) {
    data.sources.emplace_back(validated.source[i]);
    data.references.emplace_back(validated.target[i]);
  }
  data.notices.push_back(fmt::format("to validate on: {}{}", validation_counts.describe(),
                                     held_out ? ", held out of the training text" : ""));
  return data;
}

}  // namespace roformer
