// Values of "tokenizer_class" in tokenizer_config.json.
#pragma once

#include <string_view>

namespace roformer {

inline constexpr std::string_view kBertTokenizerClass = "BertTokenizer";
inline constexpr std::string_view kRoFormerTokenizerClass = "RoFormerTokenizer";  // jieba
inline constexpr std::string_view kCharTokenizerClass = "RoFormerNativeCharTokenizer";
inline constexpr std::string_view kByteTokenizerClass = "RoFormerNativeByteTokenizer";
inline constexpr std::string_view kSentencePieceTokenizerClass = "RoFormerNativeSentencePieceTokenizer";
inline constexpr std::string_view kLlamaTokenizerClass = "LlamaTokenizer";
inline constexpr std::string_view kT5TokenizerClass = "T5Tokenizer";

}  // namespace roformer
