#include "text/pipeline/byte_letters.h"

#include <array>
#include <cstdint>

#include "base/utf8.h"

namespace roformer::pipeline {

namespace {

constexpr char32_t kFirstStandIn = 256;
constexpr size_t kLetterEnd = 324;  // 256 + the 68 bytes that are not visible

constexpr bool is_visible(size_t byte) {
  return (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xFF && byte != 0xAD);
}

// Visible Latin-1 characters stand for themselves, the other bytes are numbered from U+0100 on.
constexpr auto kLetters = [] {
  std::array<char32_t, 256> letters{};
  char32_t next = kFirstStandIn;
  for (size_t byte = 0; byte < letters.size(); ++byte) {
    letters[byte] = is_visible(byte) ? static_cast<char32_t>(byte) : next++;
  }
  return letters;
}();

constexpr auto kBytesOfLetters = [] {
  std::array<int16_t, kLetterEnd> bytes{};
  bytes.fill(-1);
  for (size_t byte = 0; byte < kLetters.size(); ++byte) bytes[kLetters[byte]] = static_cast<int16_t>(byte);
  return bytes;
}();

}  // namespace

char32_t letter_of_byte(unsigned char byte) { return kLetters[byte]; }

int byte_of_letter(char32_t letter) { return letter < kBytesOfLetters.size() ? kBytesOfLetters[letter] : -1; }

std::string bytes_to_letters(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) append_utf8(text, letter_of_byte(static_cast<unsigned char>(byte)));
  return text;
}

std::optional<std::string> letters_to_bytes(std::string_view text) {
  std::string bytes;
  bytes.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    const CodePoint c = decode_utf8(text.data() + i);
    const int byte = byte_of_letter(c.value);
    if (byte < 0) return std::nullopt;
    bytes += static_cast<char>(byte);
    i += static_cast<size_t>(c.length);
  }
  return bytes;
}

}  // namespace roformer::pipeline
