// Incremental decoding, for streaming generated text.
#pragma once

#include <cstdint>
#include <string>

#include "text/tokenizer.h"

namespace roformer {

class StreamDecoder {
 public:
  // `tokenizer` must outlive the decoder. Special tokens are skipped unless `keep_special`.
  explicit StreamDecoder(const Tokenizer& tokenizer, bool keep_special = false)
      : tokenizer_(tokenizer), keep_special_(keep_special) {}
  StreamDecoder(StreamDecoder&&) = default;

  // Returns the text completed by this id, holding back an incomplete UTF-8 character and white space that a tokenizer
  // strips from the end. DataError for an id outside the
  // vocabulary.
  std::string push(int32_t id);
  // Returns the rest, with U+FFFD for each byte of an incomplete character, and resets the decoder.
  std::string finish();
  // The concatenated results equal tokenizer.decode() of all ids.

 private:
  // `text` without the white space at its end, which `pending_` keeps unless it is the last, or at the decoded start.
  std::string strip(const std::string& text, bool last);

  const Tokenizer& tokenizer_;
  bool keep_special_;
  DecodeState state_;
  std::string pending_;
  bool started_ = false;  // something was returned
};

}  // namespace roformer
