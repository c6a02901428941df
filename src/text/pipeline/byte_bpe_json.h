// The tokenizer.json of byte-level BPE, without its tokens.
#pragma once

#include "base/json.h"
#include "text/pipeline/byte_words.h"

namespace roformer {

struct ByteLevelSettings {
  BytePattern pattern = BytePattern::gpt2;
  bool composes = false;           // NFC
  bool adds_prefix_space = false;  // gpt2 alone
  bool trims_offsets = true;
};

// With an empty "vocab" and no "merges".
Json byte_level_json(const ByteLevelSettings& settings);

}  // namespace roformer
