// A tokenizer as its tokenizer.json describes it, step by step as in Hugging Face's tokenizers: added tokens are found
// in the raw text, the rest is normalized, added tokens are found in the normalized text, the rest is split into words
// and each word segmented by the model; byte-level BPE with words of a known pattern is run on the text as it is, which
// gives the same. Ids and offsets equal those of tokenizers (tools/oracle_pipelines.py).
//
// Const functions are thread-safe.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "text/pipeline/byte_words.h"
#include "text/pipeline/decoder.h"
#include "text/pipeline/model.h"
#include "text/pipeline/normalizer.h"
#include "text/pipeline/post_processor.h"
#include "text/pipeline/pre_tokenizer.h"
#include "text/tokenizer.h"

namespace roformer {

// A pipeline that is byte-level BPE with words of a known pattern, and so runs on bytes as they are.
struct ByteLevelRules {
  ByteWords words;
  bool adds_prefix_space = false;
  enum class Normalizer { none, nfc, other } normalizer = Normalizer::none;
};

// The parts of a tokenizer.json, and what tokenizer_config.json adds.
struct PipelineParts {
  PipelineNormalizer normalizer;
  PipelinePreTokenizer pre_tokenizer;
  std::unique_ptr<PipelineModel> model;
  PipelineTemplates templates;
  PipelineDecoder decoder;
  SpecialTokens specials;       // "" where there is none
  std::string tokenizer_class;  // written to tokenizer_config.json
  std::string file;             // the content of tokenizer.json, which is saved unchanged
  // The text of an added token that is normalized before it is matched, by id: decoding gives that.
  std::map<int32_t, std::string> normalized;
  JsonObject config;  // tokenizer_config.json, saved with the names of special tokens that it lacks
  std::optional<ByteLevelRules> byte_level = {};  // with a model that has a byte_bpe()
};

class PipelineTokenizer : public Tokenizer {
 public:
  PipelineTokenizer(Vocabulary vocabulary, PipelineParts parts, std::string_view where);

  bool is_continuation(int32_t id) const override;
  void append_text(int32_t id, DecodeState& state, std::string& bytes) const override;
  std::string_view type() const override { return parts_.model->type(); }
  std::string_view tokenizer_class() const override { return parts_.tokenizer_class; }
  // tokenizer.json unchanged, and tokenizer_config.json.
  std::map<std::string, std::string> files() const override;

 protected:
  void append(std::string_view text, int64_t first, std::vector<int32_t>& ids, Offsets* offsets) const override;
  void append_part(std::string_view text, int64_t first, std::vector<int32_t>& ids, Offsets* offsets) const override {
    append(text, first, ids, offsets);
  }
  void adjust_offsets(std::string_view text, std::span<const int32_t> ids, Offsets& offsets) const override;
  std::string normalize_token(const std::string& content) const override { return parts_.normalizer.apply(content); }
  nlohmann::ordered_json config() const override;

 private:
  void append_normalized(std::string_view text, int64_t first, std::vector<int32_t>& ids, Offsets* offsets) const;
  bool leaves_unchanged(std::string_view text) const;
  template <class OnPiece>
  void cut_letters(std::string_view word, const OnPiece& on_piece) const;
  template <class OnPiece>
  void cut_bytes(std::string_view text, const OnPiece& on_piece) const;
  void append_bytes(std::string_view text, int64_t first, std::vector<int32_t>& ids, Offsets* offsets) const;

  PipelineParts parts_;
  bool marks_spaces_ = false;                       // tokens that start a word start with U+2581
  std::vector<std::array<int64_t, 2>> end_spaces_;  // of the model's tokens, if offsets are trimmed
};

}  // namespace roformer
