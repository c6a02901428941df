// SentencePiece models (BPE and unigram; Kudo & Richardson 2018): the text is normalized, a space becomes U+2581, and
// it is segmented into pieces without pre-tokenization. Characters without a piece become UTF-8 bytes if the model has
// byte_fallback, else one <unk> per run. Ids equal libsentencepiece's.
//
// The dummy prefix (add_dummy_prefix) is added before each part between special tokens, as in early transformers
// ("legacy"), or only before the text.
//
// Const functions are thread-safe.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "base/json.h"
#include "text/sentencepiece/model.h"
#include "text/sentencepiece/normalizer.h"
#include "text/sentencepiece/segmenter.h"
#include "text/tokenizer.h"
#include "text/tokenizer_config.h"

namespace roformer {

class TokenSettings;

// Settings of tokenizer_config.json for a SentencePiece model.
struct SentencePieceSettings {
  std::string tokenizer_class = std::string(kSentencePieceTokenizerClass);
  SpecialTokens specials;  // empty mask: no mask token
  SpecialTokenTemplate special_template;
  bool legacy = false;  // a dummy prefix before each part of a text
  bool mask_takes_space = false;
};

// A tokenizer.model, or a tokenizer.json.
struct SentencePieceFile {
  std::string content;
  std::string name = "tokenizer.model";
};

class SentencePieceTokenizer : public Tokenizer {
 public:
  // `file` is the source of `model`; `vocabulary` has the model's pieces, and maybe added tokens. `where` starts error
  // messages.
  SentencePieceTokenizer(SentencePieceModel model, SentencePieceFile file, Vocabulary vocabulary,
                         SentencePieceSettings settings, const std::string& where);
  std::string_view type() const override { return model_.kind == SentencePieceModel::Kind::bpe ? "bpe" : "unigram"; }
  std::string_view tokenizer_class() const override { return settings_.tokenizer_class; }
  // A piece continues the previous word unless it starts with a space or is a white-space byte.
  bool is_continuation(int32_t id) const override;
  void append_text(int32_t id, DecodeState& state, std::string& bytes) const override;
  // The model file unchanged, and tokenizer_config.json.
  std::map<std::string, std::string> files() const override;
  const SentencePieceModel& model() const { return model_; }

 protected:
  void append(std::string_view text, int64_t first, std::vector<int32_t>& ids, Offsets* offsets) const override;
  nlohmann::ordered_json config() const override;

 private:
  SentencePieceFile file_;
  SentencePieceModel model_;
  SentencePieceSettings settings_;
  SentencePieceNormalizer normalizer_;
  SentencePieceSegmenter segmenter_;
};

// Whether the directory has a SentencePiece model (tokenizer.model, spiece.model, or a tokenizer.json with a BPE or
// Unigram model) and no vocab.txt.
bool has_sentencepiece(const std::string& directory);

// Whether a class of Hugging Face's has no rules of its own, so that tokenizer.json defines everything; also "".
bool leaves_rules_to_json(const std::string& tokenizer_class);

// Whether `tokenizer_class` is LlamaTokenizer or T5Tokenizer, with or without "Fast", and the directory holds its model
// in a tokenizer.json alone.
bool has_only_fast_sentencepiece(const std::string& directory, const std::string& tokenizer_class);

// The tokenizer of a tokenizer.json, whose text is `content`, for such a class; null unless SentencePiece's rules are
// exactly what it means.
std::unique_ptr<Tokenizer> load_if_sentencepiece(const JsonObject& file, const std::string& content,
                                                 const std::string& tokenizer_class, const TokenSettings& tokens);

// The tokenizer of such a directory. `tokenizer_class`, which may be empty, determines the special tokens and their
// template: LlamaTokenizer, T5Tokenizer or this program's own; a tokenizer.json defines them itself. `config`:
// tokenizer_config.json. DataError for another class.
std::unique_ptr<Tokenizer> load_sentencepiece(const std::string& directory, const std::string& tokenizer_class,
                                              const JsonObject& config);

}  // namespace roformer
