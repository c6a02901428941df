// Text on its way through a pipeline: UTF-8 with the place in the input that each byte came from. How places follow a
// text through its changes is that of Hugging Face's tokenizers (its NormalizedString), since offsets depend on it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/utf8.h"

namespace roformer {

// Code points [begin, end) of the input.
struct TextOrigin {
  int32_t begin = 0, end = 0;
};

struct AlignedText {
  AlignedText() = default;
  // `input` is valid UTF-8 that starts at code point `first_code_point`.
  AlignedText(std::string_view input, int64_t first_code_point);

  std::string text;
  std::vector<TextOrigin> origins;  // one per byte
  int32_t first = 0;                // code point of the input where it starts
};

// Writes a changed text from front to back.
class TextRewriter {
 public:
  // Takes what `text` holds; finish() puts the new text there.
  explicit TextRewriter(AlignedText& text);
  std::string_view old() const { return old_.text; }
  // Whether a byte of the old text comes from the input's first code point.
  bool starts_input(size_t byte) const { return old_.origins[byte].begin == 0; }

  // The next code point of the new text. It stands for the next `replaced` code points of the old one, of which it has
  // the origin of the first; for none, it is inserted with the origin of what precedes.
  void put(char32_t c, int replaced);
  // Leaves out code points, or bytes, of the old text.
  void skip(size_t count);
  void skip_bytes(size_t size) { at_ += size; }
  // Copies bytes of the old text.
  void copy(size_t size);
  // Inserts a text with the origin of what precedes.
  void insert(std::string_view content);
  void finish();

 private:
  TextOrigin before() const { return at_ > 0 ? old_.origins[at_ - 1] : TextOrigin{old_.first, old_.first}; }

  AlignedText& text_;
  AlignedText old_;
  size_t at_ = 0;  // byte of the old text
};

// Calls on_code_point(c) for each of a valid UTF-8 text.
template <class OnCodePoint>
void for_code_points(std::string_view text, const OnCodePoint& on_code_point) {
  for (size_t i = 0; i < text.size();) {
    const CodePoint c = decode_utf8(text.data() + i);
    on_code_point(c.value);
    i += static_cast<size_t>(c.length);
  }
}

}  // namespace roformer
