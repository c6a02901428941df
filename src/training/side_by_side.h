// Runs the trainings of a grid in one process, one after the other or several at once.
#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>

#include "base/progress.h"

namespace roformer {

struct SideBySide {
  int64_t jobs = 1;  // concurrent trainings
  Progress::Output messages;
  std::stop_token stop_token = {};
};

// Calls train(i) for each i below `count`, beginning with 0. When one throws, those beside it finish, no other is
// started, and its error is thrown. Interrupted, once those that run have returned, if a stop is requested.
void train_side_by_side(int64_t count, const SideBySide& options, const std::function<void(int64_t)>& train);

// The threads of each of `jobs`; `threads` are those of all together, 0 = one for each CPU that may be used.
int threads_of_each(int64_t threads, int64_t jobs);

// Concurrent trainings cannot share one progress line: plain lines, each after the name of its training.
Progress::Output named_lines(Progress::Output output, const std::string& name);

}  // namespace roformer
