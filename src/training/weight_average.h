// The exponential moving average of the trained weights (Polyak & Juditsky 1992), with the ramp of TensorFlow's
// ExponentialMovingAverage: early averages follow the weights more closely.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "models/model.h"

namespace roformer {

class WeightAverage {
 public:
  // Starts with the weights as they are. Of the parameters that have gradients; `model` must outlive it.
  WeightAverage(const Model& model, double decay);

  // After step `step`: average = d · average + (1 − d) · weight, d = min(decay, (1 + step) / (10 + step)).
  void update(int64_t step);
  // Exchanges the model's weights and the averages, bit for bit.
  void exchange();

  // "average.NAME", for saving and loading.
  std::vector<std::pair<std::string, Tensor>> state() const;

 private:
  struct Average {
    std::string name;
    Tensor weight, average;
  };

  Backend& backend_;
  double decay_;
  std::vector<Average> averages_;
};

}  // namespace roformer
