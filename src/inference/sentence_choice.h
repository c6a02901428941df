// How texts become vectors or scores: what the caller chooses, completed by the model directory and the model.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "inference/sentence_modules.h"

namespace roformer {

// The tokens at which texts are cut, and why. For directories of that library as it does: its own setting, else the
// lesser of the tokenizer's "model_max_length" and "max_position_embeddings". For all others where learned positions
// end, if the model has any. 0 = never.
struct LengthChoice {
  int64_t tokens = 0;
  std::string reason;  // to follow "cut to N tokens, "
};
LengthChoice default_length(const SentenceModules& modules, const Tokenizer& tokenizer, const ModelConfig& config);

// What a caller decides; empty values are those of the directory, else of the model.
struct SentenceChoice {
  std::optional<TextPooling> pooling = {};
  std::optional<bool> normalize = {};
  std::optional<int64_t> max_length = {};  // 0 = never
  std::optional<std::string> prompt = {};  // a text; not with a name
  std::optional<std::string> prompt_name = {};
  std::optional<int64_t> dimensions = {};  // the vectors' first ones
};

struct SentenceTexts {
  TextPreparation preparation;
  std::string length_reason;  // of LengthChoice; empty where the caller chose the length
};
// UsageError for a prompt name that the directory does not have.
SentenceTexts sentence_texts(const SentenceChoice& choice, const SentenceModules& modules, const ModelConfig& config,
                             const Tokenizer& tokenizer);

struct SentenceVectors {
  EmbedOptions embed;
  SentenceTexts texts;
  int64_t width = 0;  // of the vectors
  Similarity similarity = Similarity::cosine;
};

// DataError where the directory asks for something unsupported, and for the pooler of a model without one; UsageError
// for more dimensions than the vectors have, and as above.
SentenceVectors sentence_vectors(const SentenceChoice& choice, const SentenceModules& modules, const Model& model,
                                 const Tokenizer& tokenizer);

// How a sequence-classification head is used. Errors as above.
struct SentenceScores {
  SentenceTexts texts;
  std::optional<LogitActivation> activation = {};  // none: by ModelConfig::problem
};
SentenceScores sentence_scores(const SentenceChoice& choice, const SentenceModules& modules, const ModelConfig& config,
                               const Tokenizer& tokenizer);

}  // namespace roformer
