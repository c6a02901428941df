// The options of commands that turn texts into vectors, completed by what the model directory says.
#pragma once

#include <optional>
#include <string>

#include "cli/text_run.h"
#include "inference/embed.h"

namespace roformer {

struct VectorOptions {
  std::string pooling = "auto";
  std::optional<bool> normalize;
  std::optional<int64_t> max_length;
};

inline constexpr const char* kTokenVectors = "none";  // of --pooling

// `tokens`: --pooling may also be "none", for the vectors of the tokens.
void add_vector_options(OptionSet& set, VectorOptions& options, bool tokens = false);

struct SentenceVectors {
  EmbedOptions embed;
  int64_t max_length = 0;  // 0 = never cut
};

// DataError where the directory asks for what is not supported and the options do not say otherwise, and for the pooler
// of a model without one.
SentenceVectors sentence_vectors(const VectorOptions& options, const Model& model, const std::string& directory);

// Where the vectors of the tokens are wanted: what cuts texts.
int64_t token_vectors_max_length(const VectorOptions& options, const std::string& directory);

}  // namespace roformer
