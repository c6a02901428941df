// Writes a model directory outside a training run.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "models/model.h"

namespace roformer {

// The tensors of a model.safetensors that transformers loads without a warning: the parameters and what transformers
// saves beside them; on the host.
std::vector<std::pair<std::string, Tensor>> file_weights(const Model& model);

// Writes config.json, `files` (the tokenizer's, name to content) and last, atomically, model.safetensors. Creates the
// directory; if it already holds the same model's config.json and files, only the weights change. FileError if it holds
// a training run, or a different config.json or one of `files`.
void save_model(const Model& model, const std::map<std::string, std::string>& files, const std::string& directory);

}  // namespace roformer
