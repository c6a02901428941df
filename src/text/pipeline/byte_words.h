// The words that byte-level BPE cuts into tokens: hand-written scanners of the regular expressions in the published
// files of GPT-2, SmolLM, Llama 3 and Qwen 2. They give what Oniguruma gives for these expressions, with its tables of
// letters, numbers and white space (tests/text/pipeline/byte_words_test.cc), and run some fifty times faster.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace roformer {

enum class BytePattern {
  gpt2,    // also GPT-NeoX, Pythia, OLMo, ModernBERT, RoBERTa: the expression of "ByteLevel"
  smollm,  // also StarCoder: the same behind "Digits", one by one
  llama3,  // also EuroBERT
  qwen2,   // also Qwen 3
};

// The expression of a pattern. That of smollm is gpt2's: its digits are no part of it.
std::string_view expression_of(BytePattern pattern);
// The pattern whose expression it is, exactly: llama3 or qwen2, which are written in the files.
std::optional<BytePattern> pattern_of_expression(std::string_view expression);

class ByteWords {
 public:
  explicit ByteWords(BytePattern pattern) : pattern_(pattern) {}

  // The end, in bytes, of the word that starts at `begin` < text.size(), where the one before ends. `text` is valid
  // UTF-8, whole: whether a run of spaces gives its last one to what follows depends on the end of the text.
  size_t end_of_word(std::string_view text, size_t begin) const;

 private:
  BytePattern pattern_;
};

}  // namespace roformer
