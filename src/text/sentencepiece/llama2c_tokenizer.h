// The tokenizer.bin of llama2.c (github.com/karpathy/llama2.c): a SentencePiece BPE model without its settings. An
// int32, the length of the longest token; then for each token a float32 score, an int32 length and that many bytes, in
// which spaces are spaces. Little-endian. How many tokens there are is said by the model it belongs to. Ids: 0 <unk>, 1
// <s>, 2 </s>, 3 to 258 the bytes.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace roformer {

// The files of a tokenizer directory, name to content: tokenizer.model and tokenizer_config.json (LlamaTokenizer: <s>
// before a text, nothing after it, a space put before it). `vocabulary`: how many tokens; 0: all up to the end of the
// file. FileError; DataError with the byte for a file that is cut off, goes on after its last token, or says lengths or
// tokens that cannot be.
std::map<std::string, std::string> read_llama2c_tokenizer(const std::string& path, int64_t vocabulary);

}  // namespace roformer
