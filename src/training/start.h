// The model that a pre-training starts from (`init_from`): found, given the positions that the options ask for, and its
// weights.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "models/found_model.h"
#include "models/model.h"
#include "models/reposition.h"
#include "training/pretrain_options.h"

namespace roformer {

struct Start {
  FoundModel model;
  Repositioning repositioning = {};
};

// The model of `init_from`, still with its own positions. UsageError for options of its shape besides positions and
// dropout; errors of find_model().
Start find_start(const PretrainOptions& options);

// The config of `start` with the options' positions and dropout, and positions for `longest` tokens. It still needs
// complete(). UsageError for what its encoding or its family does not have.
ModelConfig config_to_train(const Start& start, const PretrainOptions& options, int64_t longest);

// Applies what `config` changed, once it is complete; adds a notice where `longest` exceeds the length it was made for.
void take_config(Start& start, const ModelConfig& config, int64_t longest);

// Sets the weights of `model`, with random ones for what the file lacks, and returns warnings.
std::vector<std::string> start_weights(Model& model, const Start& start, RandomStream random);

// Files of the model which say how it is used.
std::map<std::string, std::string> companion_files(const PretrainOptions& options);

}  // namespace roformer
