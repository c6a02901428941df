// Word and character counts of text files, from which vocabularies are learned.
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

// Skips words longer than kMaxWordCodePoints, and document tags. Errors of TextFile.
WordCounts count_words(std::span<const std::string> paths, const Normalization& normalization, ThreadPool& pool);
// The words that jieba finds (white space excluded), normalized as by the tokenizer of that mode.
WordCounts count_jieba_words(std::span<const std::string> paths, const WordPieceOptions& options, JiebaMode mode,
                             const JiebaSegmenter& segmenter, ThreadPool& pool);
// Words separated by spaces, tabs, line ends and U+2581, unnormalized; longer ones than kMaxSpacedWord bytes are split,
// and those with U+2585, which SentencePiece reserves, are skipped. If the words exceed `max_bytes` together, rare ones
// are subsampled: those with hashes outside a share of all hashes, halved as often as needed, are dropped for good.
// Does not depend on the pool.
inline constexpr size_t kMaxSpacedWord = 1000;
inline constexpr size_t kMaxWordBytes = size_t{1} << 26;  // as much as learning a SentencePiece model is given
WordCounts count_spaced_words(std::span<const std::string> paths, size_t max_bytes, ThreadPool& pool);
// The same of texts given one by one.
class SpacedWordCounter {
 public:
  explicit SpacedWordCounter(size_t max_bytes = kMaxWordBytes) : max_bytes_(max_bytes) {}

  void add(std::string_view text);  // valid UTF-8
  void merge(const WordCounts& part);
  WordCounts release();  // what was counted; call it last

 private:
  bool stays(std::string_view word) const;
  void thin();
  void merge_block();

  size_t max_bytes_, bytes_ = 0;
  uint64_t share_ = 1;  // one in so many rare words is retained
  WordCounts counts_, block_;
  size_t block_bytes_ = 0;  // of the texts counted in block_
};
// The words of GPT-2's expression (pipeline/byte_words.h), spelled in its letters of bytes; lines end with "\n". Skips
// document tags, and words of more than kMaxSpacedWord bytes.
WordCounts count_byte_words(std::span<const std::string> paths, ThreadPool& pool);
CodePointCounts count_code_points(std::span<const std::string> paths, const Normalization& normalization,
                                  ThreadPool& pool);

}  // namespace roformer
