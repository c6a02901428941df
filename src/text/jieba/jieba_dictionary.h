// jieba's dictionary, compiled to a trie over code points with log frequencies. Nodes are in breadth-first order, so
// that a node's children are contiguous and sorted, and found by bisection. Chosen over a double array of bytes: a
// third of the size, and built and validated in one pass each.
//
// The source is jieba's dict.txt: lines "word frequency tag" separated by spaces, the tag optional; blank lines are
// skipped. The last frequency of a repeated word counts. A word of frequency 0 is not a word (as in jieba).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace roformer {

inline constexpr int64_t kMaxDictionaryBytes = int64_t{1} << 28;
inline constexpr size_t kMaxDictionaryWord = 255;  // code points

class JiebaDictionary {
 public:
  // The image that the constructor takes and cache files hold, in native byte order.
  static std::string compile(std::string_view text, std::string_view where);

  // `image` is a complete compiled dictionary, owned by `owner` and aligned to 8 bytes. DataError unless it is valid;
  // lookups are then always in bounds. `where` starts the message.
  JiebaDictionary(std::string_view image, std::shared_ptr<const void> owner, std::string_view where);

  // Compiles the text at `path`, or loads the result of an earlier call for the same content from
  // $XDG_CACHE_HOME/roformer (else ~/.cache/roformer). Failing to write the cache is not an error. FileError if `path`
  // cannot be read; DataError "PATH:LINE: ..." for a malformed line.
  static std::shared_ptr<const JiebaDictionary> open(const std::string& path);

  // The child of a node for a character, or 0 if there is none. Node 0 is the root.
  uint32_t child(uint32_t node, char32_t c) const {
    if (node == 0 && c < first_.size()) return first_[c];
    return find(node, c);
  }
  bool is_word(uint32_t node) const { return log_frequency_[node] >= 0; }
  double log_frequency(uint32_t node) const { return log_frequency_[node]; }  // natural; negative unless a word
  // Log of the sum of all frequencies: over all lines as in jieba (repeated words included), or over distinct words as
  // in jieba-rs.
  double log_total_of_lines() const { return log_total_of_lines_; }
  double log_total_of_words() const { return log_total_of_words_; }

  const std::string& source_hash() const { return source_hash_; }  // hash_hex of the source text

 private:
  uint32_t find(uint32_t node, char32_t c) const {
    const uint32_t* begin = labels_ + children_[node];
    size_t count = children_[node + 1] - children_[node];
    if (count == 0) return 0;
    while (count > 1) {  // bisection without a branch that depends on the labels
      const size_t half = count / 2;
      begin = begin[half] <= c ? begin + half : begin;
      count -= half;
    }
    return *begin == c ? static_cast<uint32_t>(begin - labels_) : 0;
  }

  std::shared_ptr<const void> owner_;
  const double* log_frequency_ = nullptr;
  const uint32_t* labels_ = nullptr;
  const uint32_t* children_ = nullptr;  // those of node i: [children_[i], children_[i + 1])
  double log_total_of_lines_ = 0, log_total_of_words_ = 0;
  std::string source_hash_;
  std::vector<uint32_t> first_;  // child(0, c) for the characters of the first plane
};

}  // namespace roformer
