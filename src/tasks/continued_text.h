// The text of generated tokens as it becomes certain: a character may still be incomplete, or a stop string begun.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "text/tokenizer.h"

namespace roformer {

// Ids → text that later ids cannot change.
class TextDecoder {
 public:
  // `before`: tokens that the text goes on from, which decide about a space in front of it.
  TextDecoder(const Tokenizer& tokenizer, std::span<const int32_t> before);
  std::string push(int32_t id);
  std::string finish();

 private:
  std::string taken(bool all);

  const Tokenizer& tokenizer_;
  std::vector<int32_t> ids_;  // what is given out but the last of it, then what is not
  size_t given_ = 0;          // ids that are given out
};

// The text ends before the first of the stop strings, and nothing that may be the beginning of one is given out.
class ContinuedText {
 public:
  // Empty stop strings are a UsageError.
  ContinuedText(const Tokenizer& tokenizer, std::span<const int32_t> before, std::span<const std::string> stops);

  // Text that is certain now. Nothing after stopped().
  std::string push(int32_t id) { return certain(decoder_.push(id), false); }
  std::string finish() { return certain(decoder_.finish(), true); }
  bool stopped() const { return stopped_; }

 private:
  std::string certain(const std::string& more, bool all);

  TextDecoder decoder_;
  std::span<const std::string> stops_;
  std::string held_;
  bool stopped_ = false;
};

}  // namespace roformer
