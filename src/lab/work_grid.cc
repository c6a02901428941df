#include "lab/work_grid.h"

#include <algorithm>
#include <functional>
#include <map>
#include <numeric>
#include <queue>
#include <utility>

#include "metrics/statistics.h"

namespace roformer {

namespace {

double sum_of(const std::vector<double>& seconds) { return std::accumulate(seconds.begin(), seconds.end(), 0.0); }

// When the last task ends.
double schedule(const std::vector<double>& tasks, int64_t cores) {
  std::priority_queue<double, std::vector<double>, std::greater<>> free;
  double end = 0;
  for (const double seconds : tasks) {
    double begin = 0;
    if (std::ssize(free) == cores) {
      begin = free.top();
      free.pop();
    }
    free.push(begin + seconds);
    end = std::max(end, begin + seconds);
  }
  return end;
}

// A pass of the medians of all.
std::vector<Profile::Region> usual_pass(const std::vector<Profile::Region>& regions, size_t passes) {
  const size_t each = regions.size() / passes;
  std::vector<Profile::Region> pass(regions.begin(), regions.begin() + static_cast<std::ptrdiff_t>(each));
  std::vector<double> seconds(passes);
  for (size_t i = 0; i < each; ++i) {
    for (size_t task = 0; task < pass[i].tasks.size(); ++task) {
      for (size_t p = 0; p < passes; ++p) seconds[p] = regions[p * each + i].tasks.at(task);
      pass[i].tasks[task] = median(seconds);
    }
  }
  return pass;
}

OperatorGrid operator_grid(const std::string& name, const std::vector<const Profile::Region*>& regions, int64_t cores) {
  OperatorGrid grid{.name = name};
  std::vector<int64_t> counts;
  double longest = 0;
  for (const Profile::Region* const region : regions) {
    counts.push_back(std::ssize(region->tasks));
    longest += std::ranges::max(region->tasks);
    grid.seconds += schedule(region->tasks, cores);
    grid.busy += sum_of(region->tasks) / static_cast<double>(cores);
  }
  std::ranges::sort(counts);
  grid.regions = std::ssize(counts);
  grid.fewest_tasks = counts.front();
  grid.median_tasks = counts[counts.size() / 2];
  grid.longest = grid.busy > 0 ? longest / grid.busy : 0;
  return grid;
}

}  // namespace

WorkGrid work_grid(const std::vector<Profile::Region>& regions, double measured, int64_t passes, int64_t cores) {
  const std::vector<Profile::Region> pass = usual_pass(regions, static_cast<size_t>(passes));
  std::map<std::string, std::vector<const Profile::Region*>> by_name;
  for (const Profile::Region& region : pass) by_name[region.name].push_back(&region);
  double within = 0;
  for (const Profile::Region& region : regions) within += region.seconds;
  WorkGrid grid;
  grid.cores = cores;
  grid.alone = std::max(0.0, measured - within) / static_cast<double>(passes);
  grid.seconds = grid.alone;
  double busy = grid.alone / static_cast<double>(cores);
  for (const auto& [name, own] : by_name) {
    const OperatorGrid& one = grid.operators.emplace_back(operator_grid(name, own, cores));
    grid.seconds += one.seconds;
    busy += one.busy;
  }
  std::ranges::sort(grid.operators, std::ranges::greater{}, &OperatorGrid::seconds);
  grid.efficiency = grid.seconds > 0 ? busy / grid.seconds : 0;
  return grid;
}

}  // namespace roformer
