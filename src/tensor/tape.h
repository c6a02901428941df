// Value and Tape: reverse-mode differentiation in forty lines.
// An operator computes its result and, when a tape is present, records one closure that adds to its inputs' gradients.
// backward() runs the closures in reverse and frees each as it goes, so activations are released as soon as they are
// used. There is no graph: the order of recording is the order of computing.
#pragma once

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "tensor/tensor.h"

namespace roformer {

// A tensor and, if it takes part in differentiation, the sum of its gradients. The gradient is an undefined Tensor
// until the first contribution; copies of a Value share it. A backward that needs another operator's result holds a
// SavedValue, not a Value.
struct Value {
  Tensor data;
  std::shared_ptr<Tensor> gradient;
  // Recomputes `data`, bit for bit, from what its operator saved for its own backward; or null.
  std::shared_ptr<const std::function<Tensor()>> recompute;

  Value() = default;
  explicit Value(Tensor tensor) : data(std::move(tensor)) {}
  bool tracked() const { return gradient != nullptr; }
  // The same data with its own gradient.
  static Value tracking(Tensor tensor) {
    Value value(std::move(tensor));
    value.gradient = std::make_shared<Tensor>();
    return value;
  }
};

// The data of a Value until the backward pass, or how to recompute it where that is possible.
class SavedValue {
 public:
  explicit SavedValue(const Value& value)
      : data_(value.recompute ? Tensor() : value.data), recompute_(value.recompute) {}
  Tensor data() const { return recompute_ ? (*recompute_)() : data_; }

 private:
  Tensor data_;
  std::shared_ptr<const std::function<Tensor()>> recompute_;
};

class Tape {
 public:
  void record(std::function<void()> step) { steps_.push_back(std::move(step)); }

  // Keeps what recorded closures refer to (angles, row indices) alive until backward() has run.
  void retain(std::shared_ptr<const void> owner) { retained_.push_back(std::move(owner)); }

  void backward() {
    while (!steps_.empty()) {
      const auto step = std::move(steps_.back());
      steps_.pop_back();
      step();
    }
    retained_.clear();
  }

 private:
  std::vector<std::function<void()>> steps_;
  std::vector<std::shared_ptr<const void>> retained_;
};

}  // namespace roformer
