#include "text/pipeline/aligned_text.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/error.h"

namespace roformer {

AlignedText::AlignedText(std::string_view input, int64_t first_code_point)
    : text(input), first(static_cast<int32_t>(first_code_point)) {
  if (first_code_point + static_cast<int64_t>(input.size()) > std::numeric_limits<int32_t>::max()) {
    throw DataError("a text of {} bytes is too long, expected less than 2 GiB", input.size());
  }
  origins.reserve(input.size());
  int32_t place = first - 1;
  for (const char byte : input) {
    if (begins_code_point(byte)) ++place;
    origins.push_back({place, place + 1});
  }
}

TextRewriter::TextRewriter(AlignedText& text) : text_(text), old_(std::move(text)) {
  text_ = {};
  text_.first = old_.first;
  text_.text.reserve(old_.text.size());
  text_.origins.reserve(old_.text.size());
}

void TextRewriter::put(char32_t c, int replaced) {
  const TextOrigin origin = replaced > 0 && at_ < old_.text.size() ? old_.origins[at_] : before();
  append_utf8(text_.text, c);
  text_.origins.resize(text_.text.size(), origin);
  skip(static_cast<size_t>(replaced));
}

void TextRewriter::skip(size_t count) {
  for (; count > 0 && at_ < old_.text.size(); --count) {
    at_ += static_cast<size_t>(decode_utf8(old_.text.data() + at_).length);
  }
}

void TextRewriter::copy(size_t size) {
  text_.text.append(old_.text, at_, size);
  const auto from = old_.origins.begin() + static_cast<std::ptrdiff_t>(at_);
  text_.origins.insert(text_.origins.end(), from, from + static_cast<std::ptrdiff_t>(size));
  at_ += size;
}

void TextRewriter::insert(std::string_view content) {
  text_.text += content;
  text_.origins.resize(text_.text.size(), before());
}

void TextRewriter::finish() { copy(old_.text.size() - at_); }

}  // namespace roformer
