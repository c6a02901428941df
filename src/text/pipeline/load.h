// Which tokenizer a tokenizer.json means.
#pragma once

#include <memory>
#include <string>

#include "base/json.h"
#include "text/tokenizer.h"

namespace roformer {

// Whether tokenizer.json alone defines the tokenizer: the directory has one, and `tokenizer_class` is one of Hugging
// Face's classes without rules of their own, or of byte-level BPE, or empty, or one of SentencePiece's whose model file
// is missing. The same for vocab.json and merges.txt where it has none (load_merges.h).
bool is_defined_by_json(const std::string& directory, const std::string& tokenizer_class);

// The tokenizer of such a directory: BERT's or SentencePiece's where the file means exactly their rules, which run
// faster, else a pipeline. `config`: tokenizer_config.json, which names special tokens and may add tokens. DataError
// naming what is not supported, or malformed.
std::unique_ptr<Tokenizer> load_json_tokenizer(const std::string& directory, const std::string& tokenizer_class,
                                               const JsonObject& config);

// The same of a tokenizer.json in memory, which `where` names in messages, with the other files of a directory.
std::unique_ptr<Tokenizer> load_tokenizer_json(const Json& content, const JsonObject& config, const std::string& where,
                                               const std::string& directory);

}  // namespace roformer
