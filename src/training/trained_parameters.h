// What an optimizer updates, and with which share of the learning rate.
#pragma once

#include <string>
#include <vector>

#include "models/model.h"
#include "training/step_options.h"

namespace roformer {

struct TrainedParameter {
  std::string name;  // of its state
  Parameter parameter;
  ParameterRole role = ParameterRole::weight;
  double rate = 1;  // multiplies the learning rate
};

// Those of a model that have gradients. With layer-wise decay of the learning rate (ULMFiT, Howard & Ruder 2018), a
// layer's rate is `layer_decay` to the power of the number of layers above it; embeddings and shared positions are
// below all, head and pooler above.
std::vector<TrainedParameter> trained_parameters(const Model& model, double layer_decay);
// That rate, by this project's name of the parameter.
double layer_rate(const ModelConfig& config, std::string_view name, double layer_decay);

// Drops the gradients of what the options do not train. UsageError where they do not fit each other or the model, or
// nothing is left to train: call it before a run's directory is made. train() does it again.
void freeze(Model& model, const StepOptions& options);

// Whether the parameter of this name of the project's is a target of LoRA.
bool is_lora_target(const LoraOptions& options, std::string_view name);

}  // namespace roformer
