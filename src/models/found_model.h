// A model directory before its weights are read: the config that config.json and the tensors give together, the
// tensors under their names in the model, and what a user should hear of it.
#pragma once

#include <string>
#include <vector>

#include "models/loading_plan.h"

namespace roformer {

struct LoadNotes {
  std::vector<std::string> unknown_keys;  // of config.json, not understood and ignored
  // One sentence each, unknown keys among them: what is unusual about the directory, and what was made of it.
  std::vector<std::string> warnings;
  std::string family_reason, head_reason;  // why they are what config.json does not name; empty if it does
  std::string wrapper;                     // what was removed before all names: "module."; empty: nothing
};

struct FoundModel {
  ModelConfig config;
  AvailableTensors tensors;
  std::string source;  // names the weights in messages
  LoadNotes notes;
};

// Of a directory, or one of its weights files. Errors of WeightFiles, remove_wrapper, decide_kind and read_config, and
// a DataError for embeddings that the halves of an encoder-decoder share by config.json but not in the file.
FoundModel find_model(const std::string& directory);

// Where the file has an output layer of its own whose values differ from what a tied language model would use, they are
// used, with a warning: weights unlike the word embeddings untie them, a bias replaces the other one. `config` may be
// the model's own.
void take_output_as_it_is(ModelConfig& config, FoundModel& model);

// A warning that lists tensors which are not used; nothing for none.
void note_unused(const LoadingPlan& plan, LoadNotes& notes);

}  // namespace roformer
