// jieba's dictionary, compiled: a trie of words by code point with the logarithm of each word's frequency, the nodes in
// breadth-first order so that the children of a node are neighbors, sorted, and found by bisection. Chosen over a
// double array of bytes: a third of the size, built in one pass, and a file of it is checked in one pass as well.
//
// The source is jieba's dict.txt: lines "word frequency tag" separated by spaces, the tag free to be absent; blank
// lines are skipped. Of a word that comes twice the last frequency holds. A word of frequency 0 is none (as in jieba).
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
  // What compiling a text gives and a cache file holds; of this machine's byte order.
  static std::string compile(std::string_view text, std::string_view where);

  // `image` is the whole of a compiled dictionary, kept alive by `owner`, at an address that 8 divides. DataError where
  // anything in it is not as compile() makes it; afterwards no look-up can leave it. `where` starts the message.
  JiebaDictionary(std::string_view image, std::shared_ptr<const void> owner, std::string_view where);

  // Compiles the text at `path`, or takes what an earlier call left in $XDG_CACHE_HOME/roformer (else
  // ~/.cache/roformer) for a text of the same content. What cannot be kept there is compiled again the next time,
  // silently. FileError when `path` cannot be read; DataError "PATH:LINE: ..." when a line is no entry.
  static std::shared_ptr<const JiebaDictionary> open(const std::string& path);

  // The node of one more character, or 0 where no word goes on so. Node 0 is the start.
  uint32_t child(uint32_t node, char32_t c) const {
    if (node == 0 && c < first_.size()) return first_[c];
    return find(node, c);
  }
  bool is_word(uint32_t node) const { return log_frequency_[node] >= 0; }
  double log_frequency(uint32_t node) const { return log_frequency_[node]; }  // natural; negative unless a word
  // Of the sum of all frequencies: as jieba counts, every line (with repeated words), or as jieba-rs, every word once.
  double log_total_of_lines() const { return log_total_of_lines_; }
  double log_total_of_words() const { return log_total_of_words_; }

  const std::string& source_hash() const { return source_hash_; }  // hash_hex of the text it was made from

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
