#include "text/jieba/jieba.h"

#include <algorithm>
#include <array>

namespace roformer {

namespace {

bool is_ascii_word(char32_t c) {
  const char32_t lower = c | 0x20;
  return c < 0x80 && ((c >= '0' && c <= '9') || (lower >= 'a' && lower <= 'z'));
}

}  // namespace

JiebaSegmenter::JiebaSegmenter(std::shared_ptr<const JiebaDictionary> dictionary, JiebaRules rules)
    : dictionary_(std::move(dictionary)),
      rules_(rules),
      log_total_(rules == JiebaRules::jieba ? dictionary_->log_total_of_lines() : dictionary_->log_total_of_words()) {}

bool JiebaSegmenter::in_run(char32_t c) const {
  constexpr std::u32string_view kSigns = U"+#&._%-";
  if (c < 0x80) return is_ascii_word(c) || kSigns.find(c) != kSigns.npos;
  if (c >= 0x4E00 && c <= 0x9FD5) return true;
  if (rules_ == JiebaRules::jieba || c < 0x3400) return false;
  return c <= 0x4DBF || (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0xF900 && c <= 0xFAFF) ||
         (c >= 0x20000 && c <= 0x2A6DF) || (c >= 0x2A700 && c <= 0x2EBEF) || (c >= 0x2F800 && c <= 0x2FA1F);
}

void JiebaSegmenter::cut(std::span<const char32_t> text, Words& words) const {
  words.ends.clear();
  for (size_t i = 0; i < text.size();) {
    if (in_run(text[i])) {
      size_t end = i + 1;
      while (end < text.size() && in_run(text[end])) ++end;
      cut_run(text, i, end, words);
      i = end;
    } else {
      i += text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n' ? 2 : 1;
      words.ends.push_back(i);
    }
  }
}

void JiebaSegmenter::cut_run(std::span<const char32_t> text, size_t begin, size_t end, Words& words) const {
  // A ring buffer: the best score of the text from i on is at i % 256, since no word is longer.
  constexpr size_t kScores = kMaxDictionaryWord + 1;
  static_assert(kScores == 256);
  std::array<double, kScores> scores;
  const JiebaDictionary& dictionary = *dictionary_;
  if (words.lengths.size() < end - begin) words.lengths.resize(end - begin);
  scores[end % kScores] = 0;
  for (size_t i = end; i-- > begin;) {
    size_t length = 0;
    double best = 0;
    uint32_t node = 0;
    const size_t reach = std::min(end, i + kMaxDictionaryWord);
    for (size_t j = i; j < reach && (node = dictionary.child(node, text[j])) != 0; ++j) {
      if (!dictionary.is_word(node)) continue;
      const double score = dictionary.log_frequency(node) - log_total_ + scores[(j + 1) % kScores];
      if (length == 0 || score >= best) {
        best = score;
        length = j + 1 - i;
      }
    }
    if (length == 0) {  // no word starts here: one character, with frequency 1
      best = 0.0 - log_total_ + scores[(i + 1) % kScores];
      length = 1;
    }
    scores[i % kScores] = best;
    words.lengths[i - begin] = static_cast<uint8_t>(length);
  }
  bool open = false;  // the last word consists of single letters and digits and may grow
  for (size_t i = begin; i < end;) {
    const size_t length = words.lengths[i - begin];
    const bool single = length == 1 && is_ascii_word(text[i]);
    i += length;
    if (single && open) {
      words.ends.back() = i;
    } else {
      words.ends.push_back(i);
    }
    open = single;
  }
}

}  // namespace roformer
