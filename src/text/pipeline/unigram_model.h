// The unigram model (Kudo 2018) as in Hugging Face's tokenizers: the pieces with the highest sum of scores, in double;
// a character without a piece costs 10 more than the worst piece.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "text/pipeline/model.h"

namespace roformer {

// "model" of a tokenizer.json whose type is Unigram, and its pieces by id.
std::unique_ptr<PipelineModel> read_unigram_model(const JsonObject& model, std::vector<std::string>& tokens);

}  // namespace roformer
