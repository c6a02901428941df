// How `bench --profile` shows where the time went.
#pragma once

#include <string>

#include "backend/backend.h"
#include "base/json.h"
#include "lab/work_grid.h"

namespace roformer {

struct ProfiledTime {
  int64_t passes;
  double measured;  // seconds of them
};

// Operators by time: per pass, its share, GFLOP/s or GB/s, and the fraction of this machine's measured peak; "in
// cache" where an operator without products is faster than copies of what no cache holds.
std::string profile_table(const Profile::Entries& profile, const ProfiledTime& time, const MachinePeaks& peaks,
                          Precision precision);
// The same as an array of objects, seconds and rates per second.
Json profile_json(const Profile::Entries& profile, const ProfiledTime& time);
// "This machine's measured peaks: …"
std::string peaks_line(const MachinePeaks& peaks);
Json peaks_json(const MachinePeaks& peaks);
// The calls in Chrome's trace event format, which chrome://tracing and ui.perfetto.dev show: microseconds since the
// first.
Json trace_json(const Profile& profile);

// How busy so many cores would be, in total and a row for each operator (work_grid.h).
std::string grid_table(const WorkGrid& grid);
Json grid_json(const WorkGrid& grid);

}  // namespace roformer
