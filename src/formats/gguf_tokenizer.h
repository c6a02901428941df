// The tokenizer in the metadata of a GGUF file ("tokenizer.ggml.…") as the files of a model directory: of the model
// "llama" a tokenizer.model of SentencePiece, of "gpt2" the tokenizer.json of a byte-level BPE, whose rules for words
// the file only names ("tokenizer.ggml.pre").
#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "formats/gguf_file.h"
#include "text/pipeline/byte_words.h"

namespace roformer {

// The types of tokens; numbers as in the file.
enum class GgufToken { normal = 1, unknown = 2, control = 3, user_defined = 4, unused = 5, byte = 6 };

// What a value of "tokenizer.ggml.pre" means, in a tokenizer.json.
struct GgufWords {
  const char* name;
  BytePattern pattern;
  bool composed = false;      // the text is normalized to NFC
  bool whole_tokens = false;  // a word that is a token is not segmented ("ignore_merges")
  bool begins = false;        // a text begins with the begin token, unless the file says otherwise
};
// Null for an unknown name.
const GgufWords* find_gguf_words(std::string_view name);
// The name whose words a tokenizer.json's "pre_tokenizer" gives, with its "ignore_merges"; null if there is none.
const GgufWords* gguf_words_of(const JsonObject& tokenizer);

// Name to content, tokenizer_config.json (with the chat template) among them. Empty for a file without a tokenizer.
// DataError naming the key that is missing, wrong or unknown.
std::map<std::string, std::string> gguf_tokenizer_files(const GgufFile& file);

}  // namespace roformer
