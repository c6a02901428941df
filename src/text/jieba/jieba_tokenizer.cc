#include "text/jieba/jieba_tokenizer.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "text/jieba/find_dictionary.h"
#include "text/jieba/jieba_text.h"
#include "text/normalized_text.h"

namespace roformer {

namespace {

constexpr int64_t kBert4kerasWordCodePoints = 200;
constexpr std::array<std::string_view, 3> kModeNames = {"fast", "slow", "bert4keras"};

}  // namespace

JiebaRules jieba_rules(JiebaMode mode) {
  return mode == JiebaMode::bert4keras ? JiebaRules::jieba : JiebaRules::jieba_rs;
}

std::string_view jieba_mode_name(JiebaMode mode) { return kModeNames[static_cast<size_t>(mode)]; }

std::optional<JiebaMode> parse_jieba_mode(std::string_view name) {
  const auto entry = std::ranges::find(kModeNames, name);
  if (entry == kModeNames.end()) return std::nullopt;
  return static_cast<JiebaMode>(entry - kModeNames.begin());
}

JiebaTokenizer::JiebaTokenizer(Vocabulary vocabulary, SpecialTokens special_tokens, const WordPieceOptions& options,
                               JiebaMode mode, std::shared_ptr<const JiebaDictionary> dictionary,
                               std::string own_dictionary, std::string_view where)
    : WordPieceTokenizer(std::move(vocabulary), std::move(special_tokens), options, where),
      mode_(mode),
      segmenter_(std::move(dictionary), jieba_rules(mode)),
      own_dictionary_(std::move(own_dictionary)) {}

void JiebaTokenizer::append(std::string_view text, int64_t first, std::vector<int32_t>& ids, Offsets* offsets) const {
  const JiebaText normal = normalize_for_jieba(text, first, options(), mode_, offsets != nullptr);
  append_words(normal.code_points, normal.origins, ids, offsets);
}

void JiebaTokenizer::append_part(std::string_view text, int64_t first, std::vector<int32_t>& ids,
                                 Offsets* offsets) const {
  if (normalized_tokens().empty()) return append(text, first, ids, offsets);
  const JiebaText normal = normalize_for_jieba(text, first, options(), mode_, offsets != nullptr);
  const std::span<const char32_t> letters = normal.code_points;
  const std::span<const int64_t> origins = normal.origins;
  append_normalized(normalized_tokens(), letters, origins, ids, offsets, [&](size_t begin, size_t end) {
    append_words(letters.subspan(begin, end - begin), offsets ? origins.subspan(begin, end - begin) : origins, ids,
                 offsets);
  });
}

void JiebaTokenizer::append_words(std::span<const char32_t> letters, std::span<const int64_t> origins,
                                  std::vector<int32_t>& ids, Offsets* offsets) const {
  JiebaSegmenter::Words words;
  segmenter_.cut(letters, words);
  const int64_t limit = mode_ == JiebaMode::bert4keras ? kBert4kerasWordCodePoints : kMaxWordCodePoints;
  WordSplitter unknown(
      offsets != nullptr, [&](const Word& word) { pieces().append(word, limit, ids, offsets); }, limit);
  const bool space_is_token = pieces().whole(" ") != TokenTrie::kNone;
  std::string word;
  size_t begin = 0;
  for (const size_t end : words.ends) {
    const size_t start = std::exchange(begin, end);
    if (end - start == 1 && letters[start] == U' ' && !space_is_token) continue;
    word.clear();
    for (size_t i = start; i < end; ++i) append_utf8(word, letters[i]);
    int32_t id = pieces().whole(word);
    if (id != TokenTrie::kNone) {
      if (mode_ == JiebaMode::fast && static_cast<int64_t>(end - start) > limit) id = unk_id();
      ids.push_back(id);
      if (offsets) offsets->push_back(offset_of(origins.subspan(start, end - start)));
      continue;
    }
    for (size_t i = start; i < end; ++i) {
      const UnknownPart part = unknown_part(letters[i], options(), mode_);
      if (part == UnknownPart::dropped) continue;
      if (part != UnknownPart::inside) unknown.finish();
      if (part == UnknownPart::separator) continue;
      std::array<char32_t, kMaxDecomposition> spelling;
      const int count = spell_unknown(letters[i], options(), mode_, spelling.data());
      for (int k = 0; k < count; ++k) unknown.add(spelling[static_cast<size_t>(k)], offsets ? origins[i] : 0);
      if (part == UnknownPart::alone) unknown.finish();
    }
    unknown.finish();
  }
}

std::vector<std::string> JiebaTokenizer::words(std::string_view text) const {
  require_utf8(text, "text");
  const JiebaText normal = normalize_for_jieba(text, 0, options(), mode_, false);
  JiebaSegmenter::Words cuts;
  segmenter_.cut(normal.code_points, cuts);
  std::vector<std::string> result;
  size_t begin = 0;
  for (const size_t end : cuts.ends) {
    auto& word = result.emplace_back();
    for (; begin < end; ++begin) append_utf8(word, normal.code_points[begin]);
  }
  return result;
}

std::map<std::string, std::string> JiebaTokenizer::files() const {
  auto files = WordPieceTokenizer::files();
  if (own_dictionary_.empty()) return files;
  auto& content = files[std::string(kJiebaDictionaryFile)] = read_file(own_dictionary_, kMaxDictionaryBytes);
  if (hash_hex(content) != segmenter_.dictionary().source_hash()) {
    throw DataError("{}: has changed since the tokenizer was loaded", FilePath(own_dictionary_));
  }
  return files;
}

// As saved by transformers, where jieba is part of the class, not of tokenizer.json.
WordPieceOptions JiebaTokenizer::saved_options() const {
  WordPieceOptions saved = options();
  saved.separate_cjk = false;
  return saved;
}

Normalization JiebaTokenizer::normalization() const {
  Normalization normalization = options().normalization();
  normalization.separate_cjk = false;
  normalization.as_python = mode_ != JiebaMode::fast;
  return normalization;
}

nlohmann::ordered_json JiebaTokenizer::config() const {
  auto config = WordPieceTokenizer::config();
  config["tokenizer_mode"] = jieba_mode_name(mode_);
  return config;
}

}  // namespace roformer
