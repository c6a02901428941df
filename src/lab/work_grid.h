// How the work of a pass would keep many cores busy: the tasks between barriers, measured one by one on few cores.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "backend/profile.h"

namespace roformer {

// An operator's regions between barriers, of a pass. Seconds are those of `cores`, if each computes a task as fast as
// it was measured: what cores do to each other's caches and memory is not in it.
struct OperatorGrid {
  std::string name;
  int64_t regions = 0;
  int64_t fewest_tasks = 0, median_tasks = 0;  // of a region
  double longest = 0;                          // the longest task by the mean of what a core does; above 1 some wait
  double seconds = 0, busy = 0;                // until the last task ends; of which a core works
};

struct WorkGrid {
  int64_t cores = 1;
  std::vector<OperatorGrid> operators;  // by seconds
  double seconds = 0;                   // of a pass
  double alone = 0;                     // of which one core works outside of regions
  double efficiency = 0;                // share of the cores' time in which they work
};

// `regions` of so many equal passes, one after the other, which took `measured` seconds. A task takes the median of the
// passes; tasks are taken in order by the first core that is free.
WorkGrid work_grid(const std::vector<Profile::Region>& regions, double measured, int64_t passes, int64_t cores);

}  // namespace roformer
