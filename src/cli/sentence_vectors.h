// The options of commands that turn texts into vectors, completed by the settings of the model directory.
#pragma once

#include <optional>
#include <string>

#include "cli/text_run.h"
#include "inference/sentence_choice.h"

namespace roformer {

struct VectorOptions {
  std::string pooling = "auto";
  std::optional<bool> normalize;
  std::optional<int64_t> max_length;
  std::optional<std::string> prompt, prompt_name;
  std::optional<int64_t> dimensions;
};

inline constexpr const char* kTokenVectors = "none";  // of --pooling

// `tokens`: --pooling may also be "none", for the vectors of the tokens.
void add_vector_options(OptionSet& set, VectorOptions& options, bool tokens = false);

// Without the pooling where that is kTokenVectors.
SentenceChoice sentence_choice(const VectorOptions& options);

// What the model directory says (inference/sentence_modules.h); names what is not understood on standard error.
SentenceModules sentence_modules_of(const std::string& directory);

}  // namespace roformer
