// The pre-tokenizers of a tokenizer.json, in order: they split a text into the words that its model segments.
#pragma once

#include <functional>
#include <vector>

#include "text/pipeline/aligned_text.h"
#include "text/pipeline/part.h"

namespace roformer {

// A text and its words: bytes [begin, end), in order, none empty. A word that is an added token is not split further.
struct SplitText {
  struct Word {
    size_t begin, end;
    int32_t added = -1;  // the id of the added token
  };

  AlignedText aligned;
  std::vector<Word> words;
};

using PreTokenizerStep = std::function<void(SplitText&)>;

class PipelinePreTokenizer {
 public:
  // "pre_tokenizer" of a tokenizer.json: Whitespace, WhitespaceSplit, Punctuation, Digits, Metaspace, ByteLevel,
  // BertPreTokenizer, Split, CharDelimiterSplit, and sequences of them. DataError that names any other, or a wrong
  // setting.
  explicit PipelinePreTokenizer(const JsonObject& file);

  void apply(SplitText& text) const {
    for (const PreTokenizerStep& step : steps_) step(text);
  }

 private:
  std::vector<PreTokenizerStep> steps_;
};

}  // namespace roformer
