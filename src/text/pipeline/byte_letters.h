// GPT-2's alphabet of bytes: byte-level vocabularies spell each byte as a visible letter (a space is Ġ, a line end Ċ).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace roformer::pipeline {

char32_t letter_of_byte(unsigned char byte);
int byte_of_letter(char32_t letter);  // -1 for a code point outside the alphabet

std::string bytes_to_letters(std::string_view bytes);
// The bytes that a text spells; nothing if one of its code points is no letter of the alphabet. `text` is valid UTF-8.
std::optional<std::string> letters_to_bytes(std::string_view text);

}  // namespace roformer::pipeline
