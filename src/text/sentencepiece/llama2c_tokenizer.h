// The tokenizer.bin of llama2.c (github.com/karpathy/llama2.c): a SentencePiece BPE model without its settings. An
// int32, the length of the longest token; then for each token a float32 score, an int32 length and that many bytes,
// with plain spaces instead of U+2581. Little-endian. The number of tokens is in the model file only. Ids: 0 <unk>, 1
// <s>, 2 </s>, 3 to 258 the bytes.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace roformer {

// Converts to the files of a tokenizer directory, name to content: tokenizer.model and tokenizer_config.json
// (LlamaTokenizer: <s> and a space before a text, nothing after it). `vocabulary`: number of tokens; 0: all up to the
// end of the file. FileError; DataError with the byte offset for a file that is truncated, has trailing data, or
// invalid lengths or tokens.
std::map<std::string, std::string> read_llama2c_tokenizer(const std::string& path, int64_t vocabulary);

}  // namespace roformer
