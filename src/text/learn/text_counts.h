// How often words and characters occur in text files: what vocabularies are learned from.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/parallel.h"
#include "text/jieba/jieba.h"
#include "text/normalizer.h"
#include "text/wordpiece/wordpiece.h"

namespace roformer {

struct StringHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
};
using WordCounts = std::unordered_map<std::string, int64_t, StringHash, std::equal_to<>>;
using CodePointCounts = std::unordered_map<char32_t, int64_t>;

// Words longer than kMaxWordCodePoints are left out, as are document tags. Errors: those of TextFile.
WordCounts count_words(std::span<const std::string> paths, const Normalization& normalization, ThreadPool& pool);
// The words that jieba cuts (white space is none), normalized as the tokenizer of that mode does.
WordCounts count_jieba_words(std::span<const std::string> paths, const WordPieceOptions& options, JiebaMode mode,
                             const JiebaSegmenter& segmenter, ThreadPool& pool);
// What is between spaces, tabs and line ends, as it is; a U+2581 counts as a space, what is longer than kMaxSpacedWord
// bytes comes in parts, and what holds a U+2585, which SentencePiece keeps for itself, is left out. Of words of more
// than `max_bytes` together about that many stay: those that are rare and whose hash falls outside a share of all
// hashes, which is halved as often as needed, are left out, also when they come again. Does not depend on the pool.
inline constexpr size_t kMaxSpacedWord = 1000;
WordCounts count_spaced_words(std::span<const std::string> paths, size_t max_bytes, ThreadPool& pool);
CodePointCounts count_code_points(std::span<const std::string> paths, const Normalization& normalization,
                                  ThreadPool& pool);

}  // namespace roformer
