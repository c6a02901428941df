// Model: a trunk and the head its config names, with its weights; how it comes from and goes to a model directory
// (config.json + model.safetensors under the ecosystem's names).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "checkpoint/state_dict.h"
#include "models/encoder.h"
#include "nn/mlm_head.h"

namespace roformer {

struct NamedParameter {
  std::string name;
  Parameter parameter;
  ParameterRole role;
};

class Model {
 public:
  // Zero weights, unit norm gains. The backend must outlive the model. Parameters have gradients if `trainable`.
  // DataError if this machine's memory cannot hold it.
  Model(Backend& backend, const ModelConfig& config, bool trainable);

  const ModelConfig& config() const { return config_; }
  Backend& backend() const { return backend_; }
  const Encoder& encoder() const { return encoder_; }
  const MlmHead& mlm_head() const;  // DataError if the model has none
  const std::vector<NamedParameter>& parameters() const { return parameters_; }

  // Normal(0, initializer_range) for weights, 0 for biases and norm biases, 1 for norm gains.
  void initialise(RandomStream random);

  // Copies weights by name; accepts the spellings of compatibility.md 3.2. One DataError lists all that does not fit.
  void load_weights(const StateDict& weights, const std::string& source);
  std::vector<std::pair<std::string, Tensor>> weights() const;  // views, for writing

 private:
  Backend& backend_;
  ModelConfig config_;
  Encoder encoder_;
  std::optional<MlmHead> mlm_head_;
  std::vector<NamedParameter> parameters_;
};

// Reads config.json and the weights of a directory (checkpoint/directory_weights.h), which may also be given as one of
// its weights files. Shapes are compared before memory is taken.
Model load_model(const std::string& directory, Backend& backend, bool trainable = false,
                 std::vector<std::string>* unknown_keys = nullptr);

}  // namespace roformer
