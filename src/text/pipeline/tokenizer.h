// A tokenizer as its tokenizer.json describes it, step by step as in Hugging Face's tokenizers: added tokens are found
// in the raw text, the rest is normalized, added tokens are found in the normalized text, the rest is split into words
// and each word segmented by the model. Ids and offsets equal those of tokenizers (tools/oracle_pipelines.py).
//
// Const functions are thread-safe.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "text/pipeline/decoder.h"
#include "text/pipeline/model.h"
#include "text/pipeline/normalizer.h"
#include "text/pipeline/post_processor.h"
#include "text/pipeline/pre_tokenizer.h"
#include "text/tokenizer.h"

namespace roformer {

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
  std::string normalize_token(const std::string& content) const override { return parts_.normalizer.apply(content); }
  nlohmann::ordered_json config() const override;

 private:
  PipelineParts parts_;
  bool marks_spaces_ = false;  // tokens that start a word start with U+2581
};

}  // namespace roformer
