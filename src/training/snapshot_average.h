// The mean of the weights of a run's last snapshots (Vaswani et al. 2017, 6.1), which is tried at its end. Their
// weights are kept as training/averaged/step-N.safetensors, beyond the snapshots that a run retains.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/model.h"
#include "tensor/tensor.h"

namespace roformer {

class SnapshotAverage {
 public:
  // Of the last `count` snapshots of the run in `directory`, the end of the run included. What was kept after step
  // `resumed` is removed.
  SnapshotAverage(const std::string& directory, int64_t count, int64_t resumed);

  // Keeps the weights of the newest snapshot, a file of the model's family, and drops those that are too old.
  void keep(int64_t step, const std::string& weights);

  // Sets the weights of a trainable model to the mean of its own and of those that are kept, and returns those it had.
  // FileError and DataError for a file that is damaged.
  std::vector<Tensor> apply(Model& model) const;
  // Gives it back the weights it had.
  static void restore(Model& model, const std::vector<Tensor>& weights);

  // The number of weights that apply() takes the mean of.
  int64_t size() const { return static_cast<int64_t>(steps_.size()) + 1; }

 private:
  std::string file_of(int64_t step) const;

  std::string folder_;
  int64_t count_;
  std::vector<int64_t> steps_;  // that are kept, ascending
};

}  // namespace roformer
