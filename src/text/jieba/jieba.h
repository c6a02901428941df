// Cuts text into words as jieba does without its hidden Markov model (jieba 0.42.1 by Sun Junyi; jieba-rs 0.11 by
// messense, which Python has as rjieba): a run of Han and ASCII word characters is segmented into dictionary words with
// the largest sum of log(frequency / total), computed from the right in double precision in jieba's order of
// operations; ties go to the longer word; adjacent single letters and digits form one word. Every other character is a
// word of its own, except that "\r\n" is one.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "text/jieba/jieba_dictionary.h"

namespace roformer {

// The two differ in which characters count as Han, and in the total if the dictionary repeats a word.
enum class JiebaRules {
  jieba,     // U+4E00 to U+9FD5
  jieba_rs,  // U+3400-4DBF, 4E00-9FFF, F900-FAFF, 20000-2A6DF, 2A700-2EBEF, 2F800-2FA1F
};

class JiebaSegmenter {
 public:
  JiebaSegmenter(std::shared_ptr<const JiebaDictionary> dictionary, JiebaRules rules);

  // The result of cut(), and its scratch memory: one byte per character of the longest run.
  struct Words {
    std::vector<size_t> ends;  // end of each word, which is the start of the next
    std::vector<uint8_t> lengths;
  };
  // Any code points. Thread-safe with one Words per thread.
  void cut(std::span<const char32_t> text, Words& words) const;

  const JiebaDictionary& dictionary() const { return *dictionary_; }

 private:
  bool in_run(char32_t c) const;
  void cut_run(std::span<const char32_t> text, size_t begin, size_t end, Words& words) const;

  std::shared_ptr<const JiebaDictionary> dictionary_;
  JiebaRules rules_;
  double log_total_;
};

}  // namespace roformer
