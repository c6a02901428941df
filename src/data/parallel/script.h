// Writing systems, as far as they tell languages apart.
#pragma once

#include <cstdint>
#include <string_view>

namespace roformer {

// Ideographs and Japanese kana are one, as Japanese mixes them. `other`: letters of scripts that are not listed.
enum class Script : uint8_t {
  none,
  latin,
  greek,
  cyrillic,
  armenian,
  hebrew,
  arabic,
  devanagari,
  bengali,
  tamil,
  thai,
  georgian,
  hangul,
  ideographic,
  other
};
inline constexpr int kScripts = static_cast<int>(Script::other) + 1;

// Of a letter, by its block of Unicode; `none` for what is no letter.
Script script_of(char32_t c);

// That of most letters of a valid UTF-8 text, the first in the list among equals; `none` without letters.
Script script_of(std::string_view text);

}  // namespace roformer
