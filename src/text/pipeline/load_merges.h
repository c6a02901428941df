// Byte-level BPE in the two files of GPT-2, which a directory may have in place of a tokenizer.json.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>

#include "base/json.h"
#include "text/tokenizer.h"

namespace roformer {

// Classes of transformers, without "Fast", whose vocabularies are byte-level BPE.
inline constexpr std::array<std::string_view, 7> kByteLevelClasses = {
    "GPT2Tokenizer", "GPTNeoXTokenizer", "Qwen2Tokenizer",     "RobertaTokenizer",
    "BartTokenizer", "CodeGenTokenizer", "LongformerTokenizer"};

// Whether a directory has vocab.json and merges.txt.
bool has_merges(const std::string& directory);

// The tokenizer of such a directory, with the rules of its class in transformers: GPT2Tokenizer (also without a class),
// CodeGenTokenizer, GPTNeoXTokenizer or Qwen2Tokenizer. DataError for other classes, and malformed files.
std::unique_ptr<Tokenizer> load_merges(const std::string& directory, const std::string& tokenizer_class,
                                       const JsonObject& config);

}  // namespace roformer
