// How weights are updated: gradient clipping by the global norm, which all optimizers share, and the update itself,
// with the tensors that an optimizer keeps for it.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/setting.h"
#include "models/model.h"

namespace roformer {

struct OptimizerOptions {
  std::string kind = "adamw";  // of optimizer_names()
  double weight_decay = 0.01;
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  double clip_norm = 1;
};

// adamw: Loshchilov & Hutter 2019, as torch.optim has it.
const std::vector<std::string>& optimizer_names();

template <OptionsOf<OptimizerOptions> Options>
void visit_settings(Options& options, auto& visitor) {
  constexpr Effect kResult = Effect::result;
  visitor.choice(options.kind, {"optimizer", "how weights are updated", kResult}, optimizer_names());
  visitor.real(options.weight_decay, {"weight_decay", "of weights, not of biases and norms", kResult}, {0, 1000});
  visitor.real(options.beta1, {"beta1", "AdamW's decay of the mean", kResult}, {0, 1, false, true});
  visitor.real(options.beta2, {"beta2", "AdamW's decay of the variance", kResult}, {0, 1, false, true});
  visitor.real(options.epsilon, {"epsilon", "AdamW's floor of the divisor", kResult}, {0, 1, true, false});
  visitor.real(options.clip_norm, {"clip_norm", "largest norm of the gradient; 0 = no clipping", kResult}, {0, 1e9});
}

// One of the parameters of a model that is trainable, whose tensors it shares.
class Optimizer {
 public:
  virtual ~Optimizer() = default;
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  // To be called before gradients are summed up; free where step() has just left zeros.
  void zero_gradients();
  // √Σ g² over all parameters; not finite if a gradient is not.
  double gradient_norm() const;
  // One update with the gradients as they are, which are zero afterwards unless they are to be kept; `norm` is
  // gradient_norm().
  void step(int64_t step, double learning_rate, double norm, bool keep_gradients = false);

  // What it keeps of each parameter, as named tensors ("first_moment.NAME"), views: for saving, and to be loaded into.
  virtual std::vector<std::pair<std::string, Tensor>> state() const = 0;

 protected:
  struct Update {
    int64_t step;  // 1 for the first
    double learning_rate, gradient_scale;
    bool zero_gradients;  // afterwards
  };

  Optimizer(const Model& model, double clip_norm);
  Backend& backend() const { return backend_; }
  virtual void update(const Update& update) = 0;

 private:
  Backend& backend_;
  double clip_norm_;  // largest norm of the whole gradient; 0 = no clipping
  std::vector<Tensor> gradients_;
  bool zero_ = false;  // the gradients, until zero_gradients() says that they will be summed up
};

// UsageError for a kind that is none of optimizer_names(). Weight decay is of weights, not of biases and norms.
std::unique_ptr<Optimizer> make_optimizer(const Model& model, const OptimizerOptions& options);

}  // namespace roformer
