// What a directory's files say about special and added tokens, for all kinds of tokenizer. Sources, as in transformers:
// tokenizer_config.json with its added_tokens_decoder, or, where that is missing, special_tokens_map.json (which then
// takes precedence) and added_tokens.json; and the added tokens of a tokenizer.json. Where two of them hold a token,
// that of tokenizer_config.json counts, else that of tokenizer.json.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "text/tokenizer.h"

namespace roformer {

class TokenSettings {
 public:
  // `config`: tokenizer_config.json; `fast`: tokenizer.json, null if there is none. DataError for malformed settings.
  TokenSettings(const JsonObject& config, const std::string& directory, const JsonObject* fast);

  // tokenizer_config.json, complete with special_tokens_map.json.
  const JsonObject& config() const { return config_; }
  // The name of a special token, given as text or as an object.
  std::string name(const std::string& key, const std::string& fallback) const;
  // The names of BERT's special tokens.
  SpecialTokens names() const;

  // Additional special tokens, without ids.
  std::vector<AddedToken> extra_tokens() const;

  // The tokens to match in a text. Those that the vocabulary lacks are added to it: first the added tokens by their
  // ids (which count no further), then `specials`, other special tokens by name, and additional ones. DataError naming
  // all of `specials` that are missing if [UNK], [CLS] or [SEP] is.
  std::vector<AddedToken> add_to(Vocabulary& vocabulary, const SpecialTokens& specials, const std::string& where) const;

 private:
  void declare(const std::string& directory, const JsonObject* fast);
  std::vector<AddedToken> named_tokens(const SpecialTokens& specials) const;

  JsonObject config_;
  std::vector<AddedToken> declared_;  // by id
};

// "tokenizer_class" of tokenizer_config.json, which is `config`, else of the directory's config.json; empty where
// neither says one.
std::string named_tokenizer_class(const JsonObject& config, const std::string& directory);

// config.json; empty if there is none.
JsonObject read_model_config(const std::string& directory);

// Applies "model_max_length" and "truncation_side" of tokenizer_config.json; what it does not say stays.
void apply_length_settings(Tokenizer& tokenizer, const JsonObject& config);

}  // namespace roformer
