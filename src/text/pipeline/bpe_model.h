// Byte-pair encoding by a list of merges (Sennrich et al. 2016), as in Hugging Face's tokenizers: a word starts as its
// characters, and the neighbors whose merge is the earliest of the list are merged first, the leftmost on ties.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "text/pipeline/model.h"

namespace roformer {

// "model" of a tokenizer.json whose type is BPE; the id of a token is its index.
std::unique_ptr<PipelineModel> read_bpe_model(const JsonObject& model, const std::vector<std::string>& tokens);

}  // namespace roformer
