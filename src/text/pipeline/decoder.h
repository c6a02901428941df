// The decoder of a tokenizer.json, token by token: what a token adds to a text depends on itself and on whether
// anything precedes it, so that generated text can be shown as it comes.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "text/tokenizer.h"

namespace roformer {

class PipelineDecoder {
 public:
  // "decoder" of a tokenizer.json: WordPiece, Metaspace, ByteLevel, BPEDecoder, Replace, ByteFallback, Strip, Fuse, and
  // sequences of them; behind ByteLevel only Fuse, behind Fuse only a Strip of at most one character at the start.
  // None: tokens are joined by spaces. DataError that names any other, or a wrong setting. `tokens`: the vocabulary.
  PipelineDecoder(const JsonObject& file, std::span<const std::string> tokens);

  // As Tokenizer::append_text. Bytes of ByteFallback and ByteLevel that are not UTF-8 come as they are.
  void append(std::string_view token, DecodeState& state, std::string& bytes) const;

 private:
  using Step = std::function<void(std::string& token, bool first)>;

  std::vector<Step> steps_;
  std::string suffix_;       // of BPEDecoder: a space, unless at the end of the text
  std::string strip_start_;  // the character to leave out at the start of the text
};

}  // namespace roformer
