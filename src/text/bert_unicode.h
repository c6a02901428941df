// Unicode properties as in Hugging Face's tokenizers, which token ids depend on: categories of about Unicode 8,
// decompositions of 9, lower case of 17, where unicode.h has 15 throughout. Determined by probing tokenizers 0.23 with
// every code point; tools/oracle_tokenizers.py repeats the comparison.
#pragma once

namespace roformer::bert {

bool is_control(char32_t c);
bool is_nonspacing_mark(char32_t c);
bool is_punctuation(char32_t c);
bool is_cjk_ideograph(char32_t c);  // without U+2B820 to 2B91F, a typo in BERT that ids depend on
int combining_class(char32_t c);
int to_lower(char32_t c, char32_t* out);   // as roformer::to_lower
int decompose(char32_t c, char32_t* out);  // as roformer::decompose

}  // namespace roformer::bert
