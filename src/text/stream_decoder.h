// Text from ids as they come: for generated text that is shown while it is made.
#pragma once

#include <cstdint>
#include <string>

#include "text/tokenizer.h"

namespace roformer {

class StreamDecoder {
 public:
  // Reads the caller's tokenizer; it can be moved, not copied. Special tokens are left out unless `keep_special`.
  explicit StreamDecoder(const Tokenizer& tokenizer, bool keep_special = false)
      : tokenizer_(tokenizer), keep_special_(keep_special) {}
  StreamDecoder(StreamDecoder&&) = default;

  // The text that is certain with this id: all but the start of a character whose other bytes may still come. DataError
  // for an id outside the vocabulary.
  std::string push(int32_t id);
  // The rest, where bytes that never became a character are U+FFFD each. Then a new text can start.
  std::string finish();
  // All pieces together are tokenizer.decode() of all ids.

 private:
  const Tokenizer& tokenizer_;
  bool keep_special_;
  DecodeState state_;
  std::string pending_;
};

}  // namespace roformer
