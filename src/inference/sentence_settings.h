// Embedding settings of a sentence-transformers model directory: modules.json lists the modules (trunk, pooling,
// normalization), N_Pooling/config.json has the pooling, sentence_bert_config.json the length.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "inference/embed.h"

namespace roformer {

struct SentenceSettings {
  std::optional<TextPooling> pooling;  // none: not specified
  bool normalize = false;
  std::optional<int64_t> max_length;  // tokens
  std::string unsupported;            // error message about unsupported modules or settings; empty if none
};

// What a caller decides; empty values are those of the directory, else of the model.
struct SentenceChoice {
  std::optional<TextPooling> pooling;
  std::optional<bool> normalize;
  std::optional<int64_t> max_length;
};

struct SentenceVectors {
  EmbedOptions embed;
  int64_t max_length = 0;  // 0 = never truncated
};

// DataError where the directory asks for something unsupported that the caller does not override, and for the
// pooler of a model without one.
SentenceVectors sentence_vectors(const SentenceChoice& choice, const SentenceSettings& settings, const Model& model);

// Returns the defaults for a directory without modules.json. DataError for malformed files.
SentenceSettings read_sentence_settings(const std::string& directory);

}  // namespace roformer
