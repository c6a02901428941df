// Streaming decoder with stop strings.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "text/stream_decoder.h"

namespace roformer {

// It holds back incomplete characters and possible beginnings of stop strings; the text ends before the first stop
// string.
class ContinuedText {
 public:
  // `before`: the preceding tokens, which determine a leading space. UsageError for an empty stop string.
  ContinuedText(const Tokenizer& tokenizer, std::span<const int32_t> before, std::span<const std::string> stops);

  // Returns newly completed text; nothing after stopped().
  std::string push(int32_t id) { return certain(decoder_.push(id), false); }
  std::string finish() { return certain(decoder_.finish(), true); }
  bool stopped() const { return stopped_; }

 private:
  std::string certain(const std::string& more, bool all);

  StreamDecoder decoder_;
  std::span<const std::string> stops_;
  std::string held_;
  bool stopped_ = false;
};

}  // namespace roformer
