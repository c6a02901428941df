// Values of "tokenizer_class" in tokenizer_config.json.
#pragma once

#include <algorithm>
#include <array>
#include <string_view>

namespace roformer {

inline constexpr std::string_view kBertTokenizerClass = "BertTokenizer";
inline constexpr std::string_view kRoFormerTokenizerClass = "RoFormerTokenizer";  // jieba
inline constexpr std::string_view kCharTokenizerClass = "RoFormerNativeCharTokenizer";
inline constexpr std::string_view kByteTokenizerClass = "RoFormerNativeByteTokenizer";
inline constexpr std::string_view kSentencePieceTokenizerClass = "RoFormerNativeSentencePieceTokenizer";
inline constexpr std::string_view kLlamaTokenizerClass = "LlamaTokenizer";
inline constexpr std::string_view kT5TokenizerClass = "T5Tokenizer";
inline constexpr std::string_view kMarianTokenizerClass = "MarianTokenizer";

// Whether a class of transformers has BERT's rules, special tokens and inputs, with or without "Fast" behind its name.
// (Funnel's has another segment id for [CLS], MPNet's, Splinter's and Tapas' have other inputs, BertJapanese's other
// words.)
inline bool follows_bert(std::string_view tokenizer_class) {
  constexpr std::string_view kFast = "Fast";
  if (tokenizer_class.ends_with(kFast)) tokenizer_class.remove_suffix(kFast.size());
  constexpr std::array<std::string_view, 13> kClasses = {kBertTokenizerClass,
                                                         "ConvBertTokenizer",
                                                         "DistilBertTokenizer",
                                                         "DPRContextEncoderTokenizer",
                                                         "DPRQuestionEncoderTokenizer",
                                                         "DPRReaderTokenizer",
                                                         "ElectraTokenizer",
                                                         "LayoutLMTokenizer",
                                                         "LxmertTokenizer",
                                                         "MobileBertTokenizer",
                                                         "RealmTokenizer",
                                                         "RetriBertTokenizer",
                                                         "SqueezeBertTokenizer"};
  return std::ranges::find(kClasses, tokenizer_class) != kClasses.end();
}

}  // namespace roformer
