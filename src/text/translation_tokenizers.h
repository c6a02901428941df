// The two tokenizers of a translator, in the files of Marian's models (OPUS-MT) as transformers' MarianTokenizer has
// them: source.spm and target.spm segment the text of either language (SentencePiece), vocab.json has the ids of the
// pieces. "separate_vocabs" of tokenizer_config.json says that those of the target are in target_vocab.json instead.
// Ids and decoded texts are MarianTokenizer's (text/sentencepiece/marian_tokenizer.h).
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "text/tokenizer.h"

namespace roformer {

// "source_lang" and "target_lang" of tokenizer_config.json, "eng" and "deu"; either may be empty.
struct TranslationLanguages {
  std::string source, target;
};

// files() of either tokenizer are those of both; with separate vocabularies and added tokens, which
// tokenizer_config.json has with their ids, the source's are the ones to write.
struct TranslationTokenizers {
  std::unique_ptr<Tokenizer> source, target;
  bool shared = true;  // one vocabulary: an id is the same token in both
  std::optional<TranslationLanguages> languages;
};

// Whether a directory's tokenizers are a translator's: `tokenizer_class` (of its configuration; may be empty) is
// MarianTokenizer, or it is empty and there is a source.spm.
bool is_translator(const std::string& directory, const std::string& tokenizer_class);

// FileError for a missing directory or file; DataError for another class, malformed files, a vocabulary without </s> or
// <unk>, and settings that would change ids ("sp_model_kwargs"). Pieces that the vocabulary lacks are <unk>.
TranslationTokenizers load_translation_tokenizers(const std::string& directory);

}  // namespace roformer
