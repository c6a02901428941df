// The tokenizer of a model directory as the metadata of a GGUF file.
#pragma once

#include <map>
#include <string>

#include "base/json.h"
#include "formats/gguf_writer.h"

namespace roformer {

// `files` of the directory by name, `config` its config.json, with special tokens; `rows` of word embeddings, each of
// which gets a token. Nothing for a directory without a tokenizer; DataError for one that the format cannot express.
GgufItems gguf_tokenizer_items(const std::map<std::string, std::string>& files, const Json& config, int64_t rows);

}  // namespace roformer
