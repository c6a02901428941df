// A tokenizer of byte-level BPE from lists: what a GGUF file, a vocab.json with its merges.txt, or training has in
// place of a tokenizer.json.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "text/pipeline/byte_words.h"
#include "text/tokenizer.h"

namespace roformer {

struct ByteBpeContent {
  std::vector<std::string> tokens;       // by id, spelled in GPT-2's letters ("Ġthe"); "" for an id without a token
  std::vector<std::string> merges = {};  // "Ġ t", the earliest first
  BytePattern pattern = BytePattern::gpt2;
  bool ignores_merges = false;     // a word that is a token is that token (Llama 3)
  bool composes = false;           // Unicode's NFC before all else (Qwen 2, GPT-NeoX)
  bool adds_prefix_space = false;  // RoBERTa
  // Matched in the text as they are, by their ids; special ones are left out when decoding. A model's control tokens
  // belong here, whether `tokens` has them or not.
  std::vector<AddedToken> added = {};
  // Names of special tokens, "" for none; each one of `added`. `cls` is what transformers calls bos_token, or cls_token
  // for `bert`; `sep` eos_token or sep_token.
  SpecialTokens specials = {.pad = "", .unk = "", .cls = "", .sep = "", .mask = ""};
  // What an input has around a text, and each of two: nothing, cls before it, sep behind it, both; bert has no second
  // cls before the second text.
  enum class Around { nothing, cls, sep, both, bert } around = Around::nothing;
  std::string chat_template = "";  // kept in tokenizer_config.json
  std::string tokenizer_class = "PreTrainedTokenizerFast";
};

// The tokenizer, which is saved as tokenizer.json and tokenizer_config.json. DataError, starting with `where`, for a
// merge of tokens that the list lacks, repeated tokens, and special tokens that are not among `added`.
std::unique_ptr<Tokenizer> make_byte_bpe(const ByteBpeContent& content, const std::string& where);

}  // namespace roformer
