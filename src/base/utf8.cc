#include "base/utf8.h"

#include <cstring>

#include "base/error.h"

namespace roformer {

namespace {

// The length of the valid sequence at the start of [begin, end), or 0.
int valid_sequence(const unsigned char* begin, const unsigned char* end) {
  const auto continues = [&](int count) {
    if (end - begin <= count) return false;
    for (int i = 1; i <= count; ++i) {
      if ((begin[i] & 0xC0) != 0x80) return false;
    }
    return true;
  };
  const unsigned char first = begin[0];
  if (first < 0x80) return 1;
  if (first < 0xC2) return 0;
  if (first < 0xE0) return continues(1) ? 2 : 0;
  if (first < 0xF0) {
    if (!continues(2)) return 0;
    const bool overlong = first == 0xE0 && begin[1] < 0xA0;
    const bool surrogate = first == 0xED && begin[1] >= 0xA0;
    return overlong || surrogate ? 0 : 3;
  }
  if (first > 0xF4 || !continues(3)) return 0;
  const bool overlong = first == 0xF0 && begin[1] < 0x90;
  const bool too_large = first == 0xF4 && begin[1] >= 0x90;
  return overlong || too_large ? 0 : 4;
}

}  // namespace

size_t find_invalid_utf8(std::string_view text) {
  const auto* begin = reinterpret_cast<const unsigned char*>(text.data());
  const auto* end = begin + text.size();
  const auto* p = begin;
  while (p != end) {
    uint64_t block;
    if (end - p >= 8 && (std::memcpy(&block, p, 8), (block & 0x8080808080808080u) == 0)) {
      p += 8;
      continue;
    }
    const int length = valid_sequence(p, end);
    if (length == 0) return static_cast<size_t>(p - begin);
    p += length;
  }
  return kValidUtf8;
}

std::string replace_invalid_utf8(std::string text) {
  std::string_view rest = text;
  if (find_invalid_utf8(rest) == kValidUtf8) return text;
  std::string valid;
  for (size_t bad; (bad = find_invalid_utf8(rest)) != kValidUtf8; rest.remove_prefix(bad + 1)) {
    valid += rest.substr(0, bad);
    append_utf8(valid, 0xFFFD);
  }
  return valid.append(rest);
}

void require_utf8(std::string_view text, std::string_view what) {
  const size_t bad = find_invalid_utf8(text);
  if (bad != kValidUtf8) throw DataError("{}: not valid UTF-8 at byte {}", what, bad);
}

void append_utf8(std::string& text, char32_t c) {
  const auto put = [&text](char32_t byte) { text.push_back(static_cast<char>(byte)); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xC0 | c >> 6);
    put(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    put(0xE0 | c >> 12);
    put(0x80 | (c >> 6 & 0x3F));
    put(0x80 | (c & 0x3F));
  } else {
    put(0xF0 | c >> 18);
    put(0x80 | (c >> 12 & 0x3F));
    put(0x80 | (c >> 6 & 0x3F));
    put(0x80 | (c & 0x3F));
  }
}

int64_t count_code_points(std::string_view text) {
  int64_t count = 0;
  for (const char c : text) count += begins_code_point(c);
  return count;
}

std::u32string to_code_points(std::string_view text) {
  std::u32string result;
  result.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const auto [value, length] = decode_utf8(text.data() + at);
    result += value;
    at += static_cast<size_t>(length);
  }
  return result;
}

std::string to_utf8(std::u32string_view text) {
  std::string result;
  for (const char32_t c : text) append_utf8(result, c);
  return result;
}

std::string_view first_code_points(std::string_view text, int64_t count) {
  for (size_t i = 0; i < text.size(); ++i) {
    if (begins_code_point(text[i]) && count-- == 0) return text.substr(0, i);
  }
  return text;
}

std::string_view first_bytes(std::string_view text, size_t bytes) {
  if (text.size() <= bytes) return text;
  while (bytes > 0 && !begins_code_point(text[bytes])) --bytes;
  return text.substr(0, bytes);
}

}  // namespace roformer
