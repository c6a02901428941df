// Writes a model directory outside of any training run.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "models/model.h"

namespace roformer {

// What a model.safetensors holds so that transformers loads it without a warning: the parameters, and what transformers
// keeps beside them; on the host.
std::vector<std::pair<std::string, Tensor>> file_weights(const Model& model);

// config.json, `files` (the tokenizer's, name to content) and, last and all at once, model.safetensors. Creates the
// directory; where it holds the same model's config.json and files already, only the weights change. FileError if it
// holds a training run, or a config.json or one of `files` of another model.
void save_model(const Model& model, const std::map<std::string, std::string>& files, const std::string& directory);

}  // namespace roformer
