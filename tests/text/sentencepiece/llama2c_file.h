// A small tokenizer.bin of llama2.c.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "text/char_tokenizer.h"

namespace roformer {

template <class Value>
std::string llama2c_raw(Value value) {
  std::string bytes(sizeof value, '\0');
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}

inline std::string llama2c_token(std::string_view text, float score = 0) {
  return llama2c_raw(score) + llama2c_raw(static_cast<int32_t>(text.size())) + std::string(text);
}

// The 259 standard tokens, then some merges.
inline std::string small_llama2c_file(std::string_view first = "<unk>") {
  std::string file =
      llama2c_raw(int32_t{8}) + llama2c_token(first) + llama2c_token("\n<s>\n") + llama2c_token("\n</s>\n");
  for (int byte = 0; byte < 256; ++byte) file += llama2c_token(ByteTokenizer::byte_token(byte));
  return file + llama2c_token(" t", -1) + llama2c_token("he", -2) + llama2c_token(" the", -3) + llama2c_token(" ", -4) +
         llama2c_token("t", -5) + llama2c_token("h", -6) + llama2c_token("e", -7);
}
inline constexpr int64_t kSmallLlama2c = 266;

}  // namespace roformer
