// Optimizers: gradient clipping by the global norm, common to all, and the update with its state tensors.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/setting.h"
#include "models/model.h"
#include "training/trained_parameters.h"

namespace roformer {

struct OptimizerOptions {
  std::string kind = "adamw";  // of optimizer_names()
  double weight_decay = 0.01;
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  double clip_norm = 1;
  std::optional<double> layer_decay = {};  // of the learning rate, as trained_parameters() has it
};

// adamw: Loshchilov & Hutter 2019, as in torch.optim.
const std::vector<std::string>& optimizer_names();

template <OptionsOf<OptimizerOptions> Options>
void visit_settings(Options& options, auto& visitor) {
  constexpr Effect kResult = Effect::result;
  visitor.choice(options.kind, {"optimizer", "how weights are updated", kResult}, optimizer_names());
  visitor.real(options.weight_decay, {"weight_decay", "weight decay, not applied to biases and norms", kResult},
               {0, 1000});
  visitor.real(options.beta1, {"beta1", "AdamW's decay rate of the first moment", kResult}, {0, 1, false, true});
  visitor.real(options.beta2, {"beta2", "AdamW's decay rate of the second moment", kResult}, {0, 1, false, true});
  visitor.real(options.epsilon, {"epsilon", "AdamW's term added to the denominator", kResult}, {0, 1, true, false});
  visitor.real(options.clip_norm, {"clip_norm", "maximum gradient norm; 0 = no clipping", kResult}, {0, 1e9});
  visitor.real(options.layer_decay,
               {"layer_decay",
                "multiply the learning rate of each layer by this for each layer above it: embeddings learn slowest, "
                "the head is not slowed down",
                kResult},
               {0, 1, true, false});
}

// Updates parameters, sharing their tensors.
class Optimizer {
 public:
  virtual ~Optimizer() = default;
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  // Call before accumulating gradients; free if step() has just zeroed them.
  void zero_gradients();
  // √Σ g² over all parameters; non-finite if any gradient is.
  double gradient_norm() const;
  // One update with the accumulated gradients, which are zeroed unless `keep_gradients`; `norm` is gradient_norm().
  void step(int64_t step, double learning_rate, double norm, bool keep_gradients = false);

  // The optimizer state as named views ("first_moment.NAME"), for saving and loading.
  virtual std::vector<std::pair<std::string, Tensor>> state() const = 0;

 protected:
  struct Update {
    int64_t step;  // 1 for the first
    double learning_rate, gradient_scale;
    bool zero_gradients;  // afterwards
  };

  Optimizer(Backend& backend, const std::vector<TrainedParameter>& trained, double clip_norm);
  Backend& backend() const { return backend_; }
  virtual void update(const Update& update) = 0;

 private:
  Backend& backend_;
  double clip_norm_;  // maximum global norm; 0 = no clipping
  std::vector<Tensor> gradients_;
  bool zero_ = false;  // gradients are known to be zero
};

// UsageError for an unknown kind. Weight decay applies to weights, not to biases and norms.
std::unique_ptr<Optimizer> make_optimizer(Backend& backend, const std::vector<TrainedParameter>& trained,
                                          const OptimizerOptions& options);
// Of all of a model's parameters that have gradients.
std::unique_ptr<Optimizer> make_optimizer(const Model& model, const OptimizerOptions& options);

}  // namespace roformer
