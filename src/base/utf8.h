// UTF-8: validation, reading and writing code points, and truncation at code points. Properties of code points are in
// text/unicode.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace roformer {

inline constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

inline constexpr size_t kValidUtf8 = static_cast<size_t>(-1);

// The byte offset of the first invalid sequence (overlong forms and surrogates included), or kValidUtf8.
size_t find_invalid_utf8(std::string_view text);

// Throws DataError naming the byte offset when `text` is not UTF-8; `what` names the text in the message.
void require_utf8(std::string_view text, std::string_view what);

// Each invalid byte becomes U+FFFD.
std::string replace_invalid_utf8(std::string text);

struct CodePoint {
  char32_t value;
  int length;  // bytes
};

// The code point that starts at `text`, which must be valid UTF-8.
inline CodePoint decode_utf8(const char* text) {
  const auto byte = [text](int i) { return static_cast<char32_t>(static_cast<unsigned char>(text[i])); };
  const char32_t first = byte(0);
  if (first < 0x80) return {first, 1};
  if (first < 0xE0) return {(first & 0x1F) << 6 | (byte(1) & 0x3F), 2};
  if (first < 0xF0) return {(first & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F), 3};
  return {(first & 0x07) << 18 | (byte(1) & 0x3F) << 12 | (byte(2) & 0x3F) << 6 | (byte(3) & 0x3F), 4};
}

void append_utf8(std::string& text, char32_t code_point);

// Whether a byte of valid UTF-8 starts a code point.
inline bool begins_code_point(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) != 0x80; }

int64_t count_code_points(std::string_view text);

std::u32string to_code_points(std::string_view text);  // of valid UTF-8
std::string to_utf8(std::u32string_view text);

// Converts byte positions of a text to code points, counted from `first`; cheap where each is near the one before.
class CodePointPositions {
 public:
  explicit CodePointPositions(std::string_view text, int64_t first = 0) : text_(text), position_(first) {}

  int64_t at(size_t byte) {
    position_ += byte >= byte_ ? count_code_points(text_.substr(byte_, byte - byte_))
                               : -count_code_points(text_.substr(byte, byte_ - byte));
    byte_ = byte;
    return position_;
  }

 private:
  std::string_view text_;
  size_t byte_ = 0;
  int64_t position_;
};

// The longest prefix of whole code points that has at most `count` of them, or at most `bytes` bytes.
std::string_view first_code_points(std::string_view text, int64_t count);
std::string_view first_bytes(std::string_view text, size_t bytes);

}  // namespace roformer
