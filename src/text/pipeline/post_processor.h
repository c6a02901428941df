// The post-processor of a tokenizer.json: the special tokens around one and two texts.
#pragma once

#include <string>

#include "base/json.h"
#include "text/tokenizer.h"

namespace roformer {

struct PipelineTemplates {
  EncodingTemplate single, pair;
  std::string begin, end;  // the first special token before one text and the last after it; "" if there is none
  // Whether offsets leave out the spaces at the ends of tokens, but for a single one before the first token.
  bool trims_offsets = false, keeps_first_space = false;
};

// "post_processor" of a tokenizer.json: TemplateProcessing, BertProcessing, RobertaProcessing or none, with or without
// ByteLevel. DataError that names any other, for a template without exactly its texts, and for ids outside the
// vocabulary of `vocabulary_size` tokens.
PipelineTemplates read_templates(const JsonObject& file, int32_t vocabulary_size);

// The templates of "add_bos_token" and "add_eos_token": around each text. Empty names: none.
PipelineTemplates make_templates(const Vocabulary& vocabulary, const std::string& begin, const std::string& end);

}  // namespace roformer
