// tokenizer_config.json: the keys all tokenizers share.
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

#include "text/tokenizer.h"

namespace roformer {

inline constexpr std::string_view kCharTokenizerClass = "RoFormerNativeCharTokenizer";
inline constexpr std::string_view kByteTokenizerClass = "RoFormerNativeByteTokenizer";

nlohmann::ordered_json common_config(std::string_view tokenizer_class, const SpecialTokens& special_tokens,
                                     int64_t model_max_length);

}  // namespace roformer
