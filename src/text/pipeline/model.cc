#include "text/pipeline/model.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/utf8.h"
#include "text/added_tokens.h"
#include "text/pipeline/bpe_model.h"
#include "text/pipeline/byte_bpe_model.h"
#include "text/pipeline/part.h"
#include "text/pipeline/unigram_model.h"
#include "text/wordpiece/word_pieces.h"

namespace roformer {

namespace {

int32_t unknown_id(const JsonObject& model, const std::vector<std::string>& tokens) {
  const auto found = std::ranges::find(tokens, model.get_string("unk_token", "[UNK]"));
  if (found == tokens.end()) model.reject("unk_token", "a token of the vocabulary");
  return static_cast<int32_t>(found - tokens.begin());
}

class WordPieceModel : public PipelineModel {
 public:
  WordPieceModel(const JsonObject& json, const std::vector<std::string>& tokens)
      : prefix_(json.get_string("continuing_subword_prefix", std::string(kContinuationPrefix))),
        limit_(json.get_int("max_input_chars_per_word", 100, 0)),
        pieces_(tokens, unknown_id(json, tokens), prefix_),
        unknown_(tokens[static_cast<size_t>(pieces_.unknown())]) {}

  void cut(std::string_view word, std::vector<Piece>& pieces) const override {
    const size_t before = pieces.size();
    const auto on_piece = [&](int32_t id, size_t begin, size_t end) { pieces.push_back({id, begin, end}); };
    if (count_code_points(word) <= limit_ && pieces_.cut(word, on_piece)) return;
    pieces.resize(before);
    pieces.push_back({pieces_.unknown(), 0, word.size()});
  }
  std::string_view type() const override { return "wordpiece"; }
  bool is_continuation(std::string_view token) const override {
    return !prefix_.empty() && token.size() > prefix_.size() && token.starts_with(prefix_);
  }
  const std::string& unknown_token() const override { return unknown_; }

 private:
  std::string prefix_;
  int64_t limit_;
  WordPieces pieces_;
  std::string unknown_;
};

class WordLevelModel : public PipelineModel {
 public:
  WordLevelModel(const JsonObject& json, const std::vector<std::string>& tokens)
      : pieces_(tokens, unknown_id(json, tokens)), unknown_(tokens[static_cast<size_t>(pieces_.unknown())]) {}

  void cut(std::string_view word, std::vector<Piece>& pieces) const override {
    const int32_t id = pieces_.whole(word);
    pieces.push_back({id == TokenTrie::kNone ? pieces_.unknown() : id, 0, word.size()});
  }
  std::string_view type() const override { return "wordlevel"; }
  bool is_continuation(std::string_view) const override { return false; }
  const std::string& unknown_token() const override { return unknown_; }

 private:
  WordPieces pieces_;
  std::string unknown_;
};

// Of files older than the key "type".
std::string guess_type(const JsonObject& model) {
  if (model.has("type")) return model.get_string("type", {});
  if (model.has("merges")) return "BPE";
  if (model.has("max_input_chars_per_word")) return "WordPiece";
  return model.has("vocab") && model.value()["vocab"].is_array() ? "Unigram" : "WordLevel";
}

}  // namespace

ReadPipelineModel read_pipeline_model(const JsonObject& file) {
  const JsonObject model = file.get_object("model");
  const std::string type = guess_type(model);
  ReadPipelineModel result;
  if (type == "Unigram") {
    result.model = read_unigram_model(model, result.tokens);
    return result;
  }
  if (type != "WordPiece" && type != "BPE" && type != "WordLevel") {
    model.reject("type", "WordPiece, BPE, Unigram or WordLevel");
  }
  VocabularyObject vocabulary = read_vocabulary_object(model);
  result.tokens = std::move(vocabulary.tokens);
  result.holes = std::move(vocabulary.holes);
  if (type == "WordPiece") result.model = std::make_unique<WordPieceModel>(model, result.tokens);
  if (type == "WordLevel") result.model = std::make_unique<WordLevelModel>(model, result.tokens);
  if (type == "BPE") {
    const auto words = read_pipeline_parts(file, "pre_tokenizer", "pretokenizers", "pre-tokenizer");
    const bool spells_bytes = !words.empty() && words.back().type() == "ByteLevel";
    if (spells_bytes) result.model = read_byte_bpe_model(model, result.tokens);
    if (!result.model) result.model = read_bpe_model(model, result.tokens);
  }
  return result;
}

}  // namespace roformer
