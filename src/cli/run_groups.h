// Training runs as people name them on the command line: DIR, or NAME=DIR,DIR,... for several of one setting.
#pragma once

#include <string>
#include <vector>

#include "training/run_report.h"

namespace roformer {

// The name of a plain DIR is what was written. UsageError for an empty name or directory.
RunGroup parse_run_group(const std::string& text);

}  // namespace roformer
