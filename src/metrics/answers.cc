#include "metrics/answers.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/utf8.h"
#include "text/unicode.h"

namespace roformer {
namespace {

using Words = std::vector<std::string>;

double f1_of(int64_t common, size_t predicted, size_t right) {
  return 2 * static_cast<double>(common) / static_cast<double>(predicted + right);
}

// The words that SQuAD's script compares: its normalized answer, divided at whitespace.
Words squad_words(std::string_view answer) {
  constexpr std::u32string_view kArticles[] = {U"a", U"an", U"the"};
  std::u32string bare = to_lower(to_code_points(answer));
  std::erase_if(bare, [](char32_t c) { return c < 0x80 && is_punctuation(c); });
  Words words;
  std::u32string word;
  const auto end_word = [&] {
    if (!word.empty()) words.push_back(to_utf8(word));
    word.clear();
  };
  for (size_t at = 0; at < bare.size();) {
    size_t end = at;
    while (end < bare.size() && is_word_character(bare[end])) ++end;
    const std::u32string_view run = std::u32string_view(bare).substr(at, end - at);
    if (std::ranges::find(kArticles, run) != std::end(kArticles)) {
      end_word();
    } else if (!run.empty()) {
      word += run;
    } else if (is_whitespace(bare[end++])) {
      end_word();
    } else {
      word += bare[at];
    }
    at = end;
  }
  end_word();
  return words;
}

int64_t words_in_common(Words a, Words b) {
  std::ranges::sort(a);
  std::ranges::sort(b);
  Words common;
  std::ranges::set_intersection(a, b, std::back_inserter(common));
  return std::ssize(common);
}

// What CMRC's script leaves out. Its "……" is two characters, compared with one, so an ellipsis stays.
bool is_cmrc_punctuation(char32_t c) {
  constexpr std::u32string_view kLeftOut = U"-:_*^/\\~`+=，。：？！“”；’《》·、「」（）－～『』";
  return kLeftOut.find(c) != std::u32string_view::npos;
}

std::u32string cmrc_text(std::string_view answer) {
  std::u32string text = to_lower(to_code_points(answer));
  while (!text.empty() && is_whitespace(text.back())) text.pop_back();
  text.erase(text.begin(), std::ranges::find_if_not(text, is_whitespace));
  std::erase_if(text, is_cmrc_punctuation);
  return text;
}

// The words of a text between ideographs, as NLTK's tokenizer divides it but for apostrophes: symbols are
// words of their own, except a comma in a number and periods other than the last one; runs of periods are one word.
void append_words(std::u32string_view text, Words& words) {
  constexpr std::u32string_view kAlone = U";@#$%&?!()[]{}<>\"–—‘«»„", kAfterPeriod = U")]}>\"'»”’ ";
  std::u32string word;
  const auto end_word = [&] {
    if (!word.empty()) words.push_back(to_utf8(word));
    word.clear();
  };
  const size_t last = text.find_last_not_of(kAfterPeriod);  // a period here ends the text
  for (size_t at = 0; at < text.size(); ++at) {
    const char32_t c = text[at];
    const auto is_digit = [&](size_t i) { return i < text.size() && text[i] >= '0' && text[i] <= '9'; };
    if (is_whitespace(c)) {
      end_word();
    } else if (c == '.' && (at == last || (at + 1 < text.size() && text[at + 1] == '.'))) {
      end_word();
      while (at < text.size() && text[at] == '.') word += text[at++];
      --at;
      end_word();
    } else if (kAlone.find(c) != std::u32string_view::npos || (c == ',' && !is_digit(at + 1))) {
      end_word();
      word = c;
      end_word();
    } else {
      word += c;
    }
  }
  end_word();
}

Words cmrc_segments(const std::u32string& text) {
  constexpr char32_t kFirstIdeograph = 0x4E00, kLastIdeograph = 0x9FA5;
  Words segments;
  for (size_t at = 0; at < text.size();) {
    size_t end = at;
    while (end < text.size() && (text[end] < kFirstIdeograph || text[end] > kLastIdeograph)) ++end;
    append_words(std::u32string_view(text).substr(at, end - at), segments);
    if (end < text.size()) segments.push_back(to_utf8(text.substr(end, 1)));
    at = end + 1;
  }
  return segments;
}

int64_t longest_common_run(const Words& a, const Words& b) {
  std::vector<int64_t> above(b.size() + 1), here(b.size() + 1);  // runs that end at one word of each
  int64_t longest = 0;
  for (const std::string& word : a) {
    for (size_t j = 0; j < b.size(); ++j) {
      here[j + 1] = word == b[j] ? above[j] + 1 : 0;
      longest = std::max(longest, here[j + 1]);
    }
    std::swap(above, here);
  }
  return longest;
}

// The best score over the right answers that are not empty by `words`; of none, whether the prediction is.
template <class Compare>
AnswerScore best_score(std::span<const std::string> answers, bool empty_prediction, Compare compare) {
  AnswerScore best;
  bool any = false;
  for (const std::string& answer : answers) {
    const std::optional<AnswerScore> score = compare(answer);
    if (!score) continue;
    any = true;
    best.exact_match = std::max(best.exact_match, score->exact_match);
    best.f1 = std::max(best.f1, score->f1);
  }
  if (!any && empty_prediction) best = {.exact_match = 1, .f1 = 1};
  return best;
}

}  // namespace

AnswerScore squad_score(std::string_view prediction, std::span<const std::string> answers) {
  const Words found = squad_words(prediction);
  return best_score(answers, found.empty(), [&](const std::string& answer) -> std::optional<AnswerScore> {
    const Words right = squad_words(answer);
    if (right.empty()) return std::nullopt;
    return AnswerScore{.exact_match = found == right ? 1.0 : 0.0,
                       .f1 = f1_of(words_in_common(found, right), found.size(), right.size())};
  });
}

AnswerScore cmrc_score(std::string_view prediction, std::span<const std::string> answers) {
  const std::u32string text = cmrc_text(prediction);
  const Words found = cmrc_segments(text);
  return best_score(answers, found.empty(), [&](const std::string& answer) -> std::optional<AnswerScore> {
    const std::u32string right_text = cmrc_text(answer);
    const Words right = cmrc_segments(right_text);
    if (right.empty()) return std::nullopt;
    return AnswerScore{.exact_match = text == right_text ? 1.0 : 0.0,
                       .f1 = f1_of(longest_common_run(found, right), found.size(), right.size())};
  });
}

MetricSet answer_metrics(const std::vector<AnswerScore>& scores) {
  std::vector<double> exact_match, f1;
  for (const AnswerScore& score : scores) {
    exact_match.push_back(score.exact_match);
    f1.push_back(score.f1);
  }
  return mean_metrics({"exact_match", "f1"}, {std::move(exact_match), std::move(f1)});
}

}  // namespace roformer
