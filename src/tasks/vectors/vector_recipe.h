// How a model in training turns texts into vectors, and the files that tell so: those of sentence-transformers.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "inference/embed.h"
#include "inference/sentence_modules.h"
#include "models/model.h"

namespace roformer {

struct VectorRecipe {
  TextPooling pooling = TextPooling::mean;   // cls, mean, max, lasttoken, pooler
  bool normalize = false;                    // vectors have length 1
  TextPreparation preparation;               // prompt, lower case, max_length
  std::map<std::string, std::string> files;  // beside the transformer's; none with the pooler, which has no such name

  // For vectors without training.
  EmbedOptions embed_options() const;
};

// `pooling`: of classifier_pooling_names() (tasks/pooling.h); "auto" is what the model directory says, else the
// pooler of a RoFormer-Sim, else the mean. `max_length`: 0 for the directory's, else the task's `usual` one, within
// what the model takes. DataError for modules that cannot be trained.
VectorRecipe make_vector_recipe(const std::string& directory, const ModelConfig& config, const std::string& pooling,
                                int64_t max_length, int64_t usual);

// hidden [T, H] of `batch` → [sequences, H].
Value pooled_vectors(const Context& context, const Model& model, TextPooling pooling, const Value& hidden,
                     const Batch& batch);

}  // namespace roformer
