#include "text/stream_decoder.h"

#include <utility>

#include "base/utf8.h"
#include "text/unicode.h"

namespace roformer {

namespace {

// The number of bytes at the end of `text` that are the start of an incomplete character.
size_t incomplete_end(std::string_view text) {
  for (size_t back = 1; back <= 3 && back <= text.size(); ++back) {
    const auto byte = static_cast<unsigned char>(text[text.size() - back]);
    if ((byte & 0xC0) == 0x80) continue;  // a continuation byte
    const size_t length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1;
    if (length <= back) return 0;
    // Whether some continuation is valid: the second byte decides (overlong forms, surrogates, range).
    for (const unsigned char second : {0x80, 0x90, 0xA0, 0xBF}) {
      std::string whole(text.substr(text.size() - back));
      if (whole.size() == 1) whole += static_cast<char>(second);
      whole.resize(length, '\x80');
      if (find_invalid_utf8(whole) == kValidUtf8) return back;
    }
    return 0;
  }
  return 0;
}

}  // namespace

std::string StreamDecoder::push(int32_t id) {
  tokenizer_.token(id);  // throws for an invalid id
  if (!keep_special_ && tokenizer_.is_special(id)) return "";
  tokenizer_.append_text(id, state_, pending_);
  const size_t certain = pending_.size() - incomplete_end(pending_);
  std::string text = replace_invalid_utf8(pending_.substr(0, certain));
  pending_.erase(0, certain);
  return tokenizer_.strips_decoded() ? strip(text, /*last=*/false) : text;
}

std::string StreamDecoder::strip(const std::string& text, bool last) {
  const std::string_view inner = strip_whitespace(text);
  const auto begin = static_cast<size_t>(inner.data() - text.data()), end = begin + inner.size();
  if (!last) pending_.insert(0, text, end);  // appears if something follows it
  const size_t from = started_ ? 0 : begin;
  started_ = started_ || !inner.empty();
  return text.substr(from, end - from);
}

std::string StreamDecoder::finish() {
  std::string text = replace_invalid_utf8(std::exchange(pending_, {}));
  if (tokenizer_.strips_decoded()) text = strip(text, /*last=*/true);
  state_ = {};
  started_ = false;
  return text;
}

}  // namespace roformer
