// From aligned tokens (Translator::align) to aligned words.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/markup_placement.h"
#include "text/tokenizer.h"

namespace roformer {

// Byte ranges of tokens in the text that they are decoded to, without white space around them; empty of a token that
// adds no text.
std::vector<std::array<size_t, 2>> decoded_ranges(const Tokenizer& tokenizer, std::span<const int32_t> ids);

// Whether a token of a source stands for words, unknown ones included: no other special one, no language code
// (">>deu<<").
bool is_translated(const Tokenizer& tokenizer, int32_t id);

// The tokens of a translation, `ids`, whose text begins at byte `first`: `links` has the source token of each, or −1.
// `offsets`: of the source's tokens, in code points of `source`.
std::vector<AlignedToken> aligned_tokens(std::string_view source, std::span<const std::array<int64_t, 2>> offsets,
                                         const Tokenizer& target, std::span<const int32_t> ids,
                                         std::span<const int32_t> links, size_t first);

// [i, j]: word i of the source, from 0, is translated by word j; in order, each pair once. Words are what white space
// separates. A pair of words is aligned if some of their tokens are.
using WordPairs = std::vector<std::array<int64_t, 2>>;
WordPairs word_pairs(std::string_view source, std::string_view target, std::span<const AlignedToken> tokens);

// "0-0 1-2 2-1"
std::string pharaoh(const WordPairs& pairs);

}  // namespace roformer
