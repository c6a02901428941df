// What a classifier of texts reads of their hidden states.
#pragma once

#include <string>
#include <vector>

#include "data/labeled/tasks.h"
#include "models/config.h"

namespace roformer {

const std::vector<std::string>& classifier_pooling_names();  // auto first mean last

// Sets how `config`, a classifier of texts, summarizes a sequence: "auto" is the mean for triplets, as in the
// authors' finetune_scm.py, and else what the model's family does. UsageError for other heads, and families that cannot
// express it.
void set_pooling(const std::string& name, const Task& task, ModelConfig& config);

}  // namespace roformer
