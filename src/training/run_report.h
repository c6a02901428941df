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

struct RunsShown {
  bool validation_loss = true;  // false where the page has a plot of it already
  std::string loss_unit = "loss (nats per predicted token)";
  bool wall_clock_speed = true;  // else only speed by CPU time, where it was logged: other work may have slowed a run
};

// Adds a plot per logged metric, with a line per group, in those of validation loss also the unigram baseline where the
// runs share one, and tables of final values and settings. FileError without a
// log.jsonl; DataError for a malformed file or a log without events.
void add_runs(HtmlPage& page, const std::vector<RunGroup>& groups, const RunsShown& shown = {});

// Writes the report of one run atomically.
void write_run_report(const std::string& directory, const std::string& path, const RunsShown& shown = {});

}  // namespace roformer
