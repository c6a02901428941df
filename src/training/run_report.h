// HTML reports of training runs: curves, final values, settings. Reads run directories (log.jsonl,
// training/settings.json, config.json; the last two may be missing).
#pragma once

#include <string>
#include <vector>

#include "report/html_page.h"

namespace roformer {

// Runs that differ only in their seed, shown as their mean with a band from lowest to highest.
struct RunGroup {
  std::string name;
  std::vector<std::string> directories;  // at least one
};

// The last component of a path, "model" of "runs/model/".
std::string short_name(const std::string& path);

// Adds a plot per logged metric, with a line per group, and tables of final values and settings. FileError without a
// log.jsonl; DataError for a malformed file or a log without events.
void add_runs(HtmlPage& page, const std::vector<RunGroup>& groups);

// Writes the report of one run atomically.
void write_run_report(const std::string& directory, const std::string& path);

}  // namespace roformer
