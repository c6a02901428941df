// The options of commands that turn texts into vectors, completed by what the model directory says.
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

void add_vector_options(OptionSet& set, VectorOptions& options);

// Errors as that of inference/sentence_settings.h, and those of reading the directory.
SentenceVectors sentence_vectors(const VectorOptions& options, const Model& model, const std::string& directory);

}  // namespace roformer
