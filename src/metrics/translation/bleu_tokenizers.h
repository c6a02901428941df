// The tokenizers of BLEU.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace roformer {

enum class BleuTokenizer : uint8_t {
  mteval13a,      // "13a": that of mteval-v13a.pl, for languages in Latin script
  international,  // "intl": that of mteval-v14.pl, by Unicode categories (of Unicode 15)
  character,      // "char": each character alone
  chinese,        // "zh": Chinese characters alone, the rest as 13a
  none,           // "none": words between spaces
};

// Their names in signatures, in the order of the enumeration.
const std::vector<std::string>& bleu_tokenizer_names();
BleuTokenizer find_bleu_tokenizer(std::string_view name);  // UsageError for another name

// The text with spaces between its tokens; split_words() gives them.
std::u32string separate_tokens(std::u32string_view text, BleuTokenizer tokenizer);

}  // namespace roformer
