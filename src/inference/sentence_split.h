// Long texts as parts of few tokens, for models that read one sentence or a few at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

namespace roformer {

// Where sentences begin in a UTF-8 text: byte offsets, the first 0. A sentence ends with . ! ? or …, perhaps closing
// quotes or brackets, and white space, or with their full-width forms.
std::vector<size_t> sentence_starts(std::string_view text);

// `text` in parts of at most `limit` tokens, as many whole sentences in each as fit; a sentence of more is divided at
// white space, and a word of more anywhere. The parts are the text, but for white space between them. `tokens` counts
// those of a part.
std::vector<std::string_view> split_text(std::string_view text, int64_t limit,
                                         const std::function<int64_t(std::string_view)>& tokens);

}  // namespace roformer
