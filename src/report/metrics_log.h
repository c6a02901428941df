// The log of a training, log.jsonl: one JSON object a line with "event", "step" and numbers, read into curves.
// Only reads; the trainer writes it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "report/plot.h"

namespace roformer {

struct MetricsRecord {
  std::string event;                     // "train", "validation", …
  int64_t step = 0;                      // 0 … 2^53
  std::map<std::string, double> values;  // every other number of the object
};

// Records in file order. A last line that is not JSON (the program was killed while writing it) is ignored; any other
// damaged line is a DataError with its number. FileError if the file cannot be read.
std::vector<MetricsRecord> read_metrics_log(const std::string& path);
std::vector<MetricsRecord> parse_metrics_log(std::string_view text, const std::string& source);

// y = value `key` of the records of `event`, x = step. Where a resumed training went back to an earlier step, what was
// logged after that step is replaced.
std::vector<PlotPoint> metrics_curve(const std::vector<MetricsRecord>& records, std::string_view event,
                                     std::string_view key);

// Mean of several curves with a band from the smallest to the largest, at every step any of them has, between the
// latest first and the earliest last step; between its points a curve is a straight line. Empty curves are left out;
// one curve has no band.
PlotSeries summarize_curves(std::string name, const std::vector<std::vector<PlotPoint>>& curves);

}  // namespace roformer
