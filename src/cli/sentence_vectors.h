// The options of commands that turn texts into vectors, completed by the settings of the model directory.
#pragma once

#include <optional>
#include <string>

#include "cli/text_run.h"
#include "inference/sentence_settings.h"

namespace roformer {

struct VectorOptions {
  std::string pooling = "auto";
  std::optional<bool> normalize;
  std::optional<int64_t> max_length;
};

inline constexpr const char* kTokenVectors = "none";  // of --pooling

// `tokens`: --pooling may also be "none", for the vectors of the tokens.
void add_vector_options(OptionSet& set, VectorOptions& options, bool tokens = false);

// Throws as the function of inference/sentence_settings.h, and the errors of reading the directory.
SentenceVectors sentence_vectors(const VectorOptions& options, const Model& model, const std::string& directory);

// The length to which texts are truncated with --pooling none.
int64_t token_vectors_max_length(const VectorOptions& options, const std::string& directory);

}  // namespace roformer
