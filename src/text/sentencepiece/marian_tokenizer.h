// The tokenizer of one side of a translator, as transformers' MarianTokenizer: SentencePiece's pieces, whose ids are
// those of a vocabulary of its own. A text that starts with ">>" has a language code up to the next "<<" (">>deu<<"),
// which is one token. Each part between special tokens is segmented as a text of its own, so it may start with a code
// and begins with the model's dummy prefix. Input: the text, then </s>; a second text follows the first directly.
//
// Decoding joins pieces, U+2581 as a space, and strips white space at both ends. A token that is no piece of the model
// keeps its leading space, a control piece is nothing, and a special token, where it is shown, is followed by a space.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "text/sentencepiece/model.h"
#include "text/sentencepiece/normalizer.h"
#include "text/sentencepiece/segmenter.h"
#include "text/tokenizer.h"
#include "text/tokenizer_config.h"
#include "text/translation_tokenizers.h"

namespace roformer {

// The files that both tokenizers of a translator save unchanged.
struct MarianFiles {
  std::string source_model, target_model, vocabulary;
  std::optional<std::string> target_vocabulary;  // with separate vocabularies
};

class MarianTokenizer : public Tokenizer {
 public:
  struct Settings {
    SpecialTokens specials;  // pad, unk, and sep, which is </s>
    std::optional<TranslationLanguages> languages;
  };

  // `decoding`: the model whose pieces decoding knows; transformers takes the source's for a shared vocabulary.
  // `where` starts error messages.
  MarianTokenizer(SentencePieceModel model, const SentencePieceModel& decoding, Vocabulary vocabulary,
                  Settings settings, std::shared_ptr<const MarianFiles> files, const std::string& where);
  std::string_view type() const override { return model_.kind == SentencePieceModel::Kind::bpe ? "bpe" : "unigram"; }
  std::string_view tokenizer_class() const override { return kMarianTokenizerClass; }
  // A token continues the previous word unless it starts with a space.
  bool is_continuation(int32_t id) const override;
  void append_text(int32_t id, DecodeState& state, std::string& bytes) const override;
  bool strips_decoded() const override { return true; }
  // Both models, the vocabularies and tokenizer_config.json.
  std::map<std::string, std::string> files() const override;

 protected:
  void append(std::string_view text, int64_t first, std::vector<int32_t>& ids, Offsets* offsets) const override;
  nlohmann::ordered_json config() const override;

 private:
  // What a token is when decoded. `other`: no piece of the model, or one that it does not know.
  enum class Decoded : uint8_t { piece, byte, nothing, other };

  int32_t id_or_unknown(std::string_view token) const;

  std::shared_ptr<const MarianFiles> files_;
  SentencePieceModel model_;
  Settings settings_;
  SentencePieceNormalizer normalizer_;
  SentencePieceSegmenter segmenter_;
  std::vector<int32_t> ids_;      // of the model's pieces
  std::vector<Decoded> decoded_;  // of the vocabulary's tokens
  bool strips_prefix_, strips_spaces_;
};

// The tokenizers of such files. `config`: tokenizer_config.json, whose directory may hold more files about added
// tokens; `directory` also starts error messages. DataError as load_translation_tokenizers.
TranslationTokenizers make_translation_tokenizers(MarianFiles files, const JsonObject& config,
                                                  const std::string& directory);

}  // namespace roformer
