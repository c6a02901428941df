// The models of a tokenizer.json that segment a word into tokens: WordPiece, BPE, Unigram and WordLevel, as Hugging
// Face's tokenizers runs them. (Of their files, those that mean SentencePiece's rules are read by
// text/sentencepiece/json.h, and run faster.)
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace roformer {

class ByteBpe;

class PipelineModel {
 public:
  virtual ~PipelineModel() = default;

  struct Piece {
    int32_t id;
    size_t begin, end;  // bytes of the word; of a byte of a character that has no token, they may lie within it
  };
  // Appends the tokens of a word, which is valid UTF-8 and not empty. DataError if a part of it has no token and the
  // model no unknown token.
  virtual void cut(std::string_view word, std::vector<Piece>& pieces) const = 0;
  virtual std::string_view type() const = 0;  // as Tokenizer::type
  // Whether a token continues the word of the one before, as far as its text says so.
  virtual bool is_continuation(std::string_view token) const = 0;
  virtual const std::string& unknown_token() const = 0;  // "" if it has none
  // What cuts bytes into tokens, of a byte-level model; null of others.
  virtual const ByteBpe* byte_bpe() const { return nullptr; }
};

struct ReadPipelineModel {
  std::vector<std::string> tokens;  // by id
  std::vector<int32_t> holes;       // ids without a token, ascending
  std::unique_ptr<PipelineModel> model;
};

// "model" of a tokenizer.json. DataError for another type, an unsupported setting (BPE's dropout) or a malformed file.
ReadPipelineModel read_pipeline_model(const JsonObject& file);

}  // namespace roformer
