// What --help prints.
#pragma once

#include <string>
#include <vector>

#include "cli/options.h"

namespace roformer {

struct HelpPage {
  std::string command, summary, example;  // `example` may be empty
  std::vector<OptionInfo> options;        // those of a section stand together
};

// In 80 columns, unless the summary or the example is longer.
std::string help_text(const HelpPage& page);

}  // namespace roformer
