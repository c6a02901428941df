// Training runs as named on the command line: DIR, or NAME=DIR,DIR,... for several of one setting. A DIR is
// a training directory, one of compare, or one that holds training directories.
#pragma once

#include <string>
#include <vector>

#include "training/run_report.h"

namespace roformer {

// A training directory alone is a group, named by its last component where that is unique, else by its
// path. One of compare is a group for each variant, with the runs that have started, and one of training directories a
// group for each. NAME=DIR,... is one group of all the runs that these have.
// UsageError for an empty name or directory; FileError for a directory without training runs.
std::vector<RunGroup> parse_run_groups(const std::vector<std::string>& texts);

// Whether a run is one of compare, which may have trained others beside it.
bool are_compared(const std::vector<RunGroup>& groups);

}  // namespace roformer
