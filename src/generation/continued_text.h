// The text of generated tokens as it becomes certain: a character may still be incomplete, or a stop string begun.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "text/stream_decoder.h"

namespace roformer {

// The text ends before the first of the stop strings, and nothing that may be the beginning of one is given out.
class ContinuedText {
 public:
  // `before`: tokens that the text goes on from, which decide about a space in front of it. Empty stop strings are a
  // UsageError.
  ContinuedText(const Tokenizer& tokenizer, std::span<const int32_t> before, std::span<const std::string> stops);

  // Text that is certain now. Nothing after stopped().
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
