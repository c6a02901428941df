// LoRA's matrices as an adapter directory of peft (huggingface/peft 0.17): adapter_config.json and
// adapter_model.safetensors, for transformers' model of the weights that the run started with.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "training/lora.h"

namespace roformer {

// The content of adapter_config.json. `base` names those weights: a directory or a model of the hub. UsageError for a
// family whose files hold an adapted weight together with others.
std::string adapter_config(const Model& model, const LoraOptions& options, const std::string& base);

// The tensors of adapter_model.safetensors, on the host: the matrices, and the head.
std::vector<std::pair<std::string, Tensor>> adapter_tensors(const Model& model, const LoraAdapters& lora);

}  // namespace roformer
