// How a model directory of the sentence-transformers library wants its texts embedded: modules.json names a chain of
// modules (the trunk, pooling, normalization), N_Pooling/config.json the pooling, sentence_bert_config.json the length.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "inference/embed.h"

namespace roformer {

struct SentenceSettings {
  std::optional<TextPooling> pooling;  // nothing: the directory does not say
  bool normalize = false;
  std::optional<int64_t> max_length;  // tokens
  std::string unsupported;            // what the directory asks for beyond that, as a message; empty if nothing
};

// What a caller decides; what is empty is left to the directory, then to the model.
struct SentenceChoice {
  std::optional<TextPooling> pooling;
  std::optional<bool> normalize;
  std::optional<int64_t> max_length;
};

struct SentenceVectors {
  EmbedOptions embed;
  int64_t max_length = 0;  // 0 = never cut
};

// DataError where the directory asks for what is not supported and the caller does not say otherwise, and for the
// pooler of a model without one.
SentenceVectors sentence_vectors(const SentenceChoice& choice, const SentenceSettings& settings, const Model& model);

// A directory without modules.json gives the defaults. DataError for files that are not what they must be.
SentenceSettings read_sentence_settings(const std::string& directory);

}  // namespace roformer
