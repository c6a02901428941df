#include "metrics/translation/words.h"

#include "text/unicode.h"

namespace roformer {

bool is_python_space(char32_t c) { return is_whitespace(c) || (c >= 0x1C && c <= 0x1F); }

std::u32string_view without_trailing_spaces(std::u32string_view text) {
  while (!text.empty() && is_python_space(text.back())) text.remove_suffix(1);
  return text;
}

std::vector<std::u32string_view> split_words(std::u32string_view text) {
  std::vector<std::u32string_view> words;
  for (size_t at = 0; at < text.size();) {
    size_t end = at;
    while (end < text.size() && !is_python_space(text[end])) ++end;
    if (end > at) words.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return words;
}

uint32_t WordNumbers::of(std::u32string_view word) {
  return numbers_.try_emplace(std::u32string(word), static_cast<uint32_t>(numbers_.size())).first->second;
}

std::vector<uint32_t> WordNumbers::of_words(std::u32string_view text) {
  std::vector<uint32_t> numbers;
  for (const std::u32string_view word : split_words(text)) numbers.push_back(of(word));
  return numbers;
}

}  // namespace roformer
