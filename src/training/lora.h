// Low-rank adaptation (LoRA, Hu et al. 2021) as a reparameterization of a step: the model's weight W [out, in] is
// W0 + s·B·A, computed anew after each update of B [out, r] and A [r, in], whose gradients follow from W's:
// dB = s·dW·Aᵀ, dA = s·Bᵀ·dW. Layers know nothing of it, so it is exact in every family, and the model is always
// merged. Dropout of the adapters' input, which peft offers, is not possible this way.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "models/model.h"
#include "training/trained_parameters.h"

namespace roformer {

class LoraAdapters {
 public:
  struct Adapter {
    std::string name;  // of the weight, as in parameters()
    Parameter weight;  // of the model
    Tensor base;       // W0
    Parameter a, b;    // [r, in], [out, r]
    double rate = 1;   // multiplies the learning rate
  };

  // For a model whose targets have gradients (freeze()). A is uniform in ±1/√in, as peft's, and B zero.
  LoraAdapters(const Model& model, const LoraOptions& options, double layer_decay, RandomStream random);

  const std::vector<Adapter>& adapters() const { return adapters_; }
  // Replaces the adapted weights by their factors, "NAME.lora_A" and "NAME.lora_B".
  std::vector<TrainedParameter> replace(std::vector<TrainedParameter> trained) const;

  void zero_gradients();
  // Adds to the factors' gradients what follows from the weights'.
  void collect_gradients();
  // Sets the weights to W0 + s·B·A.
  void merge();

  // "lora_base.NAME", "lora_A.NAME" and "lora_B.NAME", for saving and loading.
  std::vector<std::pair<std::string, Tensor>> state() const;

 private:
  Backend& backend_;
  double scale_;
  std::vector<Adapter> adapters_;
};

}  // namespace roformer
