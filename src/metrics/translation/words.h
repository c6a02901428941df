// Texts as sacreBLEU compares them: words between what Python's str.split takes for spaces, as numbers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace roformer {

// The release of sacreBLEU whose definitions all of this folder follows, as signatures name it.
inline constexpr std::string_view kSacreBleuVersion = "2.6.0";

// Of Python's str: White_Space, and U+001C to U+001F.
bool is_python_space(char32_t c);

std::u32string_view without_trailing_spaces(std::u32string_view text);

// Parts of `text` between spaces; none is empty.
std::vector<std::u32string_view> split_words(std::u32string_view text);

// Gives equal words equal numbers, from 0 on. One for all texts of a segment.
class WordNumbers {
 public:
  uint32_t of(std::u32string_view word);
  std::vector<uint32_t> of_words(std::u32string_view text);

 private:
  std::unordered_map<std::u32string, uint32_t> numbers_;
};

}  // namespace roformer
