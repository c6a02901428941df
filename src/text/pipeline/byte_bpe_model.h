// The BPE model of a tokenizer.json whose words are spelled in GPT-2's letters, as ByteBpe runs it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "text/pipeline/model.h"

namespace roformer {

// Null if the model needs more than that, or is malformed: prefixes, suffixes, merges of tokens with other characters.
// `tokens` by id.
std::unique_ptr<PipelineModel> read_byte_bpe_model(const JsonObject& model, const std::vector<std::string>& tokens);

}  // namespace roformer
