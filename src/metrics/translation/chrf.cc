#include "metrics/translation/chrf.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/utf8.h"
#include "metrics/translation/ngrams.h"
#include "metrics/translation/words.h"
#include "text/unicode.h"

namespace roformer {
namespace {

bool is_ascii_symbol(char32_t c) { return c < 0x80 && is_punctuation(c); }

// The symbols whose n-grams chrF counts.
struct ChrfText {
  std::vector<uint32_t> characters, words;
};

// A symbol at the end of a word, or else at its beginning, is a word of its own.
void append_chrf_words(std::u32string_view word, WordNumbers& numbers, std::vector<uint32_t>& words) {
  size_t divided = word.size();
  if (word.size() > 1 && is_ascii_symbol(word.back())) {
    divided = word.size() - 1;
  } else if (word.size() > 1 && is_ascii_symbol(word.front())) {
    divided = 1;
  }
  words.push_back(numbers.of(word.substr(0, divided)));
  if (divided < word.size()) words.push_back(numbers.of(word.substr(divided)));
}

ChrfText chrf_text(std::string_view text, const ChrfOptions& options, WordNumbers& numbers) {
  std::u32string letters = to_code_points(text);
  if (options.lowercase) letters = to_lower(letters);
  ChrfText result;
  for (const std::u32string_view word : split_words(letters)) {
    result.characters.insert(result.characters.end(), word.begin(), word.end());
    if (options.word_order > 0) append_chrf_words(word, numbers, result.words);
  }
  return result;
}

void append_orders(std::span<const int64_t> matches, size_t hypothesis, size_t reference, ChrfStatistics& statistics) {
  int length = 0;
  for (const int64_t found : matches) {
    const int64_t in_reference = ngrams_in(reference, ++length);
    statistics.orders.push_back({.hypothesis = in_reference > 0 ? ngrams_in(hypothesis, length) : 0,
                                 .reference = in_reference,
                                 .matches = found});
  }
}

}  // namespace

void ChrfStatistics::add(const ChrfStatistics& other, int64_t times) {
  if (orders.size() < other.orders.size()) orders.resize(other.orders.size());
  for (size_t i = 0; i < other.orders.size(); ++i) {
    orders[i].hypothesis += times * other.orders[i].hypothesis;
    orders[i].reference += times * other.orders[i].reference;
    orders[i].matches += times * other.orders[i].matches;
  }
}

ChrfStatistics chrf_statistics(std::string_view hypothesis, std::span<const std::string_view> references,
                               const ChrfOptions& options) {
  WordNumbers numbers;
  NgramCounter characters(kChrfCharacterOrder), words(options.word_order);
  const ChrfText text = chrf_text(hypothesis, options, numbers);
  const std::vector<int32_t> of_characters = characters.count(text.characters), of_words = words.count(text.words);
  ChrfStatistics best;
  double best_score = -1;
  for (const std::string_view reference : references) {
    const ChrfText other = chrf_text(reference, options, numbers);
    ChrfStatistics statistics;
    append_orders(characters.matches(of_characters, characters.count(other.characters)), text.characters.size(),
                  other.characters.size(), statistics);
    append_orders(words.matches(of_words, words.count(other.words)), text.words.size(), other.words.size(), statistics);
    const double score = chrf_score(statistics);
    if (score > best_score) {
      best_score = score;
      best = std::move(statistics);
    }
  }
  return best;
}

double chrf_score(const ChrfStatistics& sums) {
  constexpr double kBeta2 = 2 * 2;
  double precision = 0, recall = 0, orders = 0;
  for (const ChrfStatistics::Counts& counts : sums.orders) {
    if (counts.hypothesis == 0 || counts.reference == 0) continue;
    precision += static_cast<double>(counts.matches) / static_cast<double>(counts.hypothesis);
    recall += static_cast<double>(counts.matches) / static_cast<double>(counts.reference);
    ++orders;
  }
  if (precision + recall == 0) return 0;
  precision /= orders;
  recall /= orders;
  return 100 * ((1 + kBeta2) * precision * recall / (kBeta2 * precision + recall));
}

std::string chrf_name(const ChrfOptions& options) {
  return "chrF2" + std::string(static_cast<size_t>(options.word_order), '+');
}

std::string chrf_signature(const ChrfOptions& options, int64_t references) {
  return fmt::format("nrefs:{}|case:{}|eff:yes|nc:{}|nw:{}|space:no|version:{}", references,
                     options.lowercase ? "lc" : "mixed", kChrfCharacterOrder, options.word_order, kSacreBleuVersion);
}

}  // namespace roformer
