#include "text/learn/train.h"

#include <algorithm>

#include "base/error.h"
#include "base/inapplicable_error.h"
#include "text/char_tokenizer.h"
#include "text/jieba/find_dictionary.h"
#include "text/jieba/jieba_tokenizer.h"
#include "text/learn/text_counts.h"
#include "text/learn/wordpiece_merges.h"
#include "text/pipeline/byte_letters.h"
#include "text/pipeline/make_byte_bpe.h"
#include "text/wordpiece/wordpiece.h"

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

std::string_view first(std::span<const std::string> paths) { return paths.empty() ? "" : std::string_view(paths[0]); }

void check_size(const TokenizerTraining& options, size_t minimum) {
  if (options.vocab_size > static_cast<int64_t>(kMaxTokens)) {
    throw UsageError("{} {} is too large, at most {}", FieldName("vocab_size"), options.vocab_size, kMaxTokens);
  }
  if (options.vocab_size < static_cast<int64_t>(minimum)) {
    throw UsageError("{} {} is too small: special tokens and characters need at least {}", FieldName("vocab_size"),
                     options.vocab_size, minimum);
  }
}

// The keys by descending count, then by code point.
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

CodePointCounts count_characters(const WordCounts& words) {
  CodePointCounts characters;
  for (const auto& [word, count] : words) {
    for (size_t i = 0; i < word.size();) {
      const CodePoint c = decode_utf8(word.data() + i);
      characters[c.value] += count;
      i += static_cast<size_t>(c.length);
    }
  }
  return characters;
}

// The most frequent characters of the words, at most `limit`.
std::vector<char32_t> choose_alphabet(const WordCounts& words, size_t limit) {
  auto alphabet = by_count(count_characters(words));
  alphabet.resize(std::min(alphabet.size(), limit));
  return alphabet;
}

bool is_chinese_word(std::string_view word) {
  size_t characters = 0;
  bool ideograph = false;
  for (size_t i = 0; i < word.size(); ++characters) {
    const CodePoint c = decode_utf8(word.data() + i);
    ideograph = ideograph || is_cjk_ideograph(c.value);
    i += static_cast<size_t>(c.length);
  }
  return ideograph && characters > 1;
}

// Moves the Chinese words out of `counts`: by descending count, then by code point (as UTF-8 sorts).
std::vector<std::pair<std::string, int64_t>> extract_chinese_words(WordCounts& counts, int64_t min_frequency) {
  std::vector<std::pair<std::string, int64_t>> words;
  for (auto entry = counts.begin(); entry != counts.end();) {
    if (is_chinese_word(entry->first)) {
      if (entry->second >= min_frequency) words.emplace_back(entry->first, entry->second);
      entry = counts.erase(entry);
    } else {
      ++entry;
    }
  }
  std::ranges::sort(words, [](const auto& a, const auto& b) {
    return a.second != b.second ? a.second > b.second : a.first < b.first;
  });
  return words;
}

}  // namespace

std::unique_ptr<Tokenizer> train_wordpiece(std::span<const std::string> paths, const TokenizerTraining& options,
                                           ThreadPool& pool) {
  if (options.limit_alphabet < 1)
    throw UsageError("{} is {}, expected at least 1", FieldName("limit_alphabet"), options.limit_alphabet);
  const WordPieceOptions wordpiece{.lowercase = options.lowercase, .strip_accents = {}, .separate_cjk = true};
  const WordCounts counts = count_words(paths, wordpiece.normalization(), pool);
  if (counts.empty())
    throw DataError("{}: no words to learn a vocabulary from", FilePath(first(paths), describe(paths)));
  const auto alphabet = choose_alphabet(counts, static_cast<size_t>(options.limit_alphabet));
  WordPieceMerges merges(counts, alphabet);
  auto tokens = special_token_list();
  check_size(options, tokens.size() + merges.pieces().size());
  merges.grow(static_cast<size_t>(options.vocab_size) - tokens.size(), options.min_frequency);
  tokens.insert(tokens.end(), merges.pieces().begin(), merges.pieces().end());
  return std::make_unique<WordPieceTokenizer>(Vocabulary(std::move(tokens), kWhere), SpecialTokens{}, wordpiece,
                                              kWhere);
}

std::unique_ptr<Tokenizer> train_jieba_wordpiece(std::span<const std::string> paths, const TokenizerTraining& options,
                                                 const std::string& dictionary, JiebaMode mode, ThreadPool& pool) {
  const DictionaryFile file = find_dictionary(dictionary, "");
  const auto words = JiebaDictionary::open(file.path);
  const WordPieceOptions wordpiece{.lowercase = options.lowercase, .strip_accents = {}, .separate_cjk = true};
  WordCounts counts = count_jieba_words(paths, wordpiece, mode, JiebaSegmenter(words, jieba_rules(mode)), pool);
  if (counts.empty())
    throw DataError("{}: no words to learn a vocabulary from", FilePath(first(paths), describe(paths)));

  const auto size = static_cast<size_t>(std::max<int64_t>(0, options.vocab_size));
  const auto alphabet = choose_alphabet(counts, std::max(size / 5, static_cast<size_t>(options.limit_alphabet)));
  const auto chinese = extract_chinese_words(counts, options.min_frequency);
  for (const char32_t c : alphabet) {  // also those that occur in Chinese words only
    std::string character;
    append_utf8(character, c);
    counts.try_emplace(character, 0);
  }
  WordPieceMerges merges(counts, alphabet);
  auto tokens = special_token_list();
  check_size(options, tokens.size() + merges.pieces().size());
  tokens.insert(tokens.end(), merges.pieces().begin(), merges.pieces().end());
  for (auto word = chinese.begin(); tokens.size() < size;) {
    const int64_t merged = merges.best_count();
    if (merged >= options.min_frequency && (word == chinese.end() || merged >= word->second)) {
      const size_t before = merges.pieces().size();
      merges.grow(before + 1, options.min_frequency);
      if (merges.pieces().size() > before) tokens.push_back(merges.pieces().back());
    } else if (word != chinese.end()) {
      tokens.push_back((word++)->first);
    } else {
      break;
    }
  }
  return std::make_unique<JiebaTokenizer>(Vocabulary(std::move(tokens), kWhere), SpecialTokens{}, wordpiece, mode,
                                          words, file.own ? file.path : "", kWhere);
}

std::unique_ptr<Tokenizer> train_char(std::span<const std::string> paths, const TokenizerTraining& options,
                                      ThreadPool& pool) {
  auto counts =
      count_code_points(paths, {.lowercase = options.lowercase, .strip_accents = false, .separate_cjk = false}, pool);
  const bool blank = std::all_of(counts.begin(), counts.end(), [](const auto& entry) { return entry.first == U' '; });
  if (blank) throw DataError("{}: no characters to learn a vocabulary from", FilePath(first(paths), describe(paths)));
  std::erase_if(counts, [&](const auto& entry) { return entry.second < options.min_frequency; });
  auto tokens = special_token_list();
  check_size(options, tokens.size() + 1);
  for (const char32_t c : by_count(counts)) {
    if (tokens.size() == static_cast<size_t>(options.vocab_size)) break;
    append_utf8(tokens.emplace_back(), c);
  }
  return std::make_unique<CharTokenizer>(Vocabulary(std::move(tokens), kWhere), SpecialTokens{}, options.lowercase,
                                         kWhere);
}

std::unique_ptr<Tokenizer> train_byte_bpe(std::span<const std::string> paths, const TokenizerTraining& options,
                                          ThreadPool& pool) {
  if (options.lowercase) {
    throw InapplicableError("{}: byte-level BPE keeps the text as it is", FieldName("lowercase"));
  }
  const WordCounts counts = count_byte_words(paths, pool);
  if (counts.empty())
    throw DataError("{}: no words to learn a vocabulary from", FilePath(first(paths), describe(paths)));
  std::vector<char32_t> alphabet;
  alphabet.reserve(256);
  for (int byte = 0; byte < 256; ++byte) {
    alphabet.push_back(pipeline::letter_of_byte(static_cast<unsigned char>(byte)));
  }
  WordPieceMerges merges(counts, alphabet, "");
  const SpecialTokens specials;
  ByteBpeContent content{.tokens = special_token_list()};
  check_size(options, content.tokens.size() + merges.pieces().size());
  for (const std::string& name : content.tokens) {
    content.added.push_back({.content = name,
                             .id = static_cast<int32_t>(content.added.size()),
                             .special = true,
                             .lstrip = name == specials.mask});
  }
  merges.grow(static_cast<size_t>(options.vocab_size) - content.tokens.size(), options.min_frequency);
  const std::vector<std::string>& pieces = merges.pieces();
  content.tokens.insert(content.tokens.end(), pieces.begin(), pieces.end());
  for (const auto& [left, right] : merges.merges()) {
    content.merges.push_back(pieces[static_cast<size_t>(left)] + ' ' + pieces[static_cast<size_t>(right)]);
  }
  content.specials = specials;
  content.around = ByteBpeContent::Around::bert;
  return make_byte_bpe(content, std::string(kWhere));
}

std::unique_ptr<Tokenizer> train_byte() {
  auto tokens = special_token_list();
  for (int byte = 0; byte < 256; ++byte) tokens.push_back(ByteTokenizer::byte_token(byte));
  return std::make_unique<ByteTokenizer>(Vocabulary(std::move(tokens), kWhere), SpecialTokens{}, kWhere);
}

}  // namespace roformer
