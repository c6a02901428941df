// How `bench --profile` shows where the time went.
#pragma once

#include <string>

#include "backend/backend.h"
#include "base/json.h"
#include "tasks/bench.h"

namespace roformer {

// Operators by time: per pass, its share, GFLOP/s or GB/s, and the share of what this machine can do at best.
std::string profile_table(const Profile& profile, const BenchResult& result, const MachinePeaks& peaks,
                          Precision precision);
// The same as an array of objects, seconds and rates per second.
Json profile_json(const Profile& profile, const BenchResult& result);
Json peaks_json(const MachinePeaks& peaks);

}  // namespace roformer
