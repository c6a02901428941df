#include "text/train.h"

#include <algorithm>

#include "base/error.h"
#include "text/char_tokenizer.h"
#include "text/text_counts.h"
#include "text/wordpiece.h"
#include "text/wordpiece_merges.h"

namespace roformer {

namespace {

constexpr std::string_view kWhere = "learned vocabulary";

std::vector<std::string> special_token_list() {
  const auto names = SpecialTokens{}.all();
  return {names.begin(), names.end()};
}

std::string describe(std::span<const std::string> paths) {
  if (paths.empty()) return "input";
  return paths.size() == 1 ? paths[0] : fmt::format("{} and {} more", paths[0], paths.size() - 1);
}

void check_size(const TokenizerTraining& options, size_t minimum) {
  if (options.vocabulary_size > static_cast<int64_t>(kMaxTokens)) {
    throw UsageError("vocabulary size {} is too large, at most {}", options.vocabulary_size, kMaxTokens);
  }
  if (options.vocabulary_size < static_cast<int64_t>(minimum)) {
    throw UsageError("vocabulary size {} is too small: special tokens and characters need at least {}",
                     options.vocabulary_size, minimum);
  }
}

// The keys by falling count, among equals by rising code point.
std::vector<char32_t> by_count(const CodePointCounts& counts) {
  std::vector<std::pair<char32_t, int64_t>> entries(counts.begin(), counts.end());
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
    return a.second != b.second ? a.second > b.second : a.first < b.first;
  });
  std::vector<char32_t> keys;
  keys.reserve(entries.size());
  for (const auto& entry : entries) keys.push_back(entry.first);
  return keys;
}

}  // namespace

std::unique_ptr<Tokenizer> train_wordpiece(std::span<const std::string> paths, const TokenizerTraining& options,
                                           ThreadPool& pool) {
  if (options.limit_alphabet < 1) throw UsageError("limit of the alphabet must be at least 1");
  const WordPieceOptions wordpiece{.lowercase = options.lowercase, .strip_accents = {}, .separate_cjk = true};
  const WordCounts counts = count_words(paths, wordpiece.normalization(), pool);
  if (counts.empty()) throw DataError("{}: no words to learn a vocabulary from", describe(paths));

  CodePointCounts characters;
  for (const auto& [word, count] : counts) {
    for (size_t i = 0; i < word.size();) {
      const CodePoint c = decode_utf8(word.data() + i);
      characters[c.value] += count;
      i += static_cast<size_t>(c.length);
    }
  }
  auto alphabet = by_count(characters);
  if (static_cast<int64_t>(alphabet.size()) > options.limit_alphabet) {
    alphabet.resize(static_cast<size_t>(options.limit_alphabet));
  }
  WordPieceMerges merges(counts, alphabet);
  auto tokens = special_token_list();
  check_size(options, tokens.size() + merges.pieces().size());
  merges.grow(static_cast<size_t>(options.vocabulary_size) - tokens.size(), options.min_frequency);
  tokens.insert(tokens.end(), merges.pieces().begin(), merges.pieces().end());
  return std::make_unique<WordPieceTokenizer>(Vocabulary(std::move(tokens), kWhere), SpecialTokens{}, wordpiece,
                                              kWhere);
}

std::unique_ptr<Tokenizer> train_char(std::span<const std::string> paths, const TokenizerTraining& options,
                                      ThreadPool& pool) {
  auto counts =
      count_code_points(paths, {.lowercase = options.lowercase, .strip_accents = false, .separate_cjk = false}, pool);
  const bool blank = std::all_of(counts.begin(), counts.end(), [](const auto& entry) { return entry.first == U' '; });
  if (blank) throw DataError("{}: no characters to learn a vocabulary from", describe(paths));
  std::erase_if(counts, [&](const auto& entry) { return entry.second < options.min_frequency; });
  auto tokens = special_token_list();
  check_size(options, tokens.size() + 1);
  for (const char32_t c : by_count(counts)) {
    if (tokens.size() == static_cast<size_t>(options.vocabulary_size)) break;
    append_utf8(tokens.emplace_back(), c);
  }
  return std::make_unique<CharTokenizer>(Vocabulary(std::move(tokens), kWhere), SpecialTokens{}, options.lowercase,
                                         kWhere);
}

std::unique_ptr<Tokenizer> train_byte() {
  auto tokens = special_token_list();
  for (int byte = 0; byte < 256; ++byte) tokens.push_back(ByteTokenizer::byte_token(byte));
  return std::make_unique<ByteTokenizer>(Vocabulary(std::move(tokens), kWhere), SpecialTokens{}, kWhere);
}

}  // namespace roformer
