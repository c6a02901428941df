#include "text/stream_decoder.h"

#include <utility>

#include "base/utf8.h"

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
  std::string text = pending_.substr(0, certain);
  pending_.erase(0, certain);
  return replace_invalid_utf8(std::move(text));
}

std::string StreamDecoder::finish() {
  state_ = {};
  return replace_invalid_utf8(std::exchange(pending_, {}));
}

}  // namespace roformer
