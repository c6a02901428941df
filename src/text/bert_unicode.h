// Unicode as Hugging Face's tokenizers sees it, which ids depend on: its categories are of Unicode 8 or so, its
// decompositions of 9, its lower case of 17, where unicode.h is of 15 throughout. Found by asking tokenizers 0.23 about
// every code point; tools/oracle_tokenizers.py compares every one of them again.
#pragma once

namespace roformer::bert {

bool is_control(char32_t c);
bool is_nonspacing_mark(char32_t c);
bool is_punctuation(char32_t c);
bool is_cjk_ideograph(char32_t c);  // without U+2B820 to 2B91F, a slip of the pen that ids must repeat
int combining_class(char32_t c);
int to_lower(char32_t c, char32_t* out);   // as roformer::to_lower
int decompose(char32_t c, char32_t* out);  // as roformer::decompose

}  // namespace roformer::bert
