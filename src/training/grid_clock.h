// The remaining time of a grid of trainings: one estimate for all of them.
#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "training/trainer.h"

namespace roformer {

// Any thread may call it. Trainings are numbered from 0.
class GridClock {
 public:
  // `work`: of each training, in any unit they share. It starts now.
  GridClock(std::vector<double> work, std::function<double()> seconds);

  void skip(size_t training);  // was finished before
  void finish(size_t training);
  // Reports the progress of a training: "all trainings: elapsed 0:10, remaining 1:02:03". The work done since the
  // start, by this process, gives the speed.
  std::string update(size_t training, const StepCount& steps);

 private:
  struct Training {
    double work = 0, share_at_start = 0, share = 0;
  };
  std::string text() const;

  std::mutex mutex_;
  std::vector<Training> trainings_;
  std::function<double()> seconds_;
  double start_;
};

}  // namespace roformer
