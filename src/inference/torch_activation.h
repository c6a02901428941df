// Activations that sentence-transformers' files name by their PyTorch class: "torch.nn.modules.activation.Tanh". Each
// is what the class computes when it is constructed without arguments.
#pragma once

#include <string>
#include <string_view>

namespace roformer {

using ElementFunction = double (*)(double);

// What is done with the logits of a text: a function of each, or their softmax.
struct LogitActivation {
  ElementFunction each = nullptr;
  bool softmax = false;
};

// Null for a class that is not one of PyTorch's, or not a function of single elements.
ElementFunction find_torch_activation(std::string_view class_path);

// The names of all that are found, for messages: "Tanh, ReLU, …".
std::string torch_activation_names();

}  // namespace roformer
