// The Unicode properties and normalization forms of Hugging Face's tokenizers beyond BERT's (text/bert_unicode.h), on
// which ids depend: words and numbers of Unicode 16 and 17, marks and normalization forms of 9. Determined by probing
// tokenizers 0.23 with every code point; tools/oracle_pipelines.py repeats the comparison.
#pragma once

#include <string_view>

#include "text/pipeline/aligned_text.h"

namespace roformer::pipeline {

bool is_word(char32_t c);     // \w of Rust's regular expressions: letters, marks, digits, connectors
bool is_numeric(char32_t c);  // categories N*
bool is_mark(char32_t c);     // categories M*

enum class NormalizationForm { nfc, nfd, nfkc, nfkd };
void normalize(AlignedText& text, NormalizationForm form);
// Whether NFC leaves a text as it is, as far as a glance at each character tells: true is certain. Most texts without
// combining marks, in Latin, Cyrillic, Chinese, Japanese and Korean, are.
bool is_surely_composed(std::string_view text);

}  // namespace roformer::pipeline
