// AdamW over all parameters of a model, with the moments it keeps and gradient clipping by the global norm.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "models/model.h"

namespace roformer {

struct AdamWOptions {
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  double weight_decay = 0.01;  // not on biases and norms
  double clip_norm = 1;        // largest norm of the whole gradient; 0 = no clipping
};

class AdamW {
 public:
  AdamW(const Model& model, const AdamWOptions& options);

  // To be called before gradients are summed up; free where step() has just left zeros.
  void zero_gradients();
  // √Σ g² over all parameters; not finite if a gradient is not.
  double gradient_norm() const;
  // One update with the gradients as they are, which are zero afterwards unless they are to be kept; `norm` is
  // gradient_norm().
  void step(int64_t step, double learning_rate, double norm, bool keep_gradients = false);

  // The moments as named tensors ("first_moment.NAME"), views: for saving, and to be loaded into.
  std::vector<std::pair<std::string, Tensor>> state() const;

 private:
  Backend& backend_;
  AdamWOptions options_;
  // Of each parameter.
  std::vector<std::string> names_;
  std::vector<AdamWTensors> tensors_;
  std::vector<Tensor> gradients_;
  bool zero_ = false;  // the gradients, until zero_gradients() says that they will be summed up
};

}  // namespace roformer
