#include "cli/run_groups.h"

#include <algorithm>

#include "base/error.h"
#include "base/json.h"

namespace roformer {

RunGroup parse_run_group(const std::string& text) {
  const size_t equals = text.find('=');
  RunGroup group{.name = text.substr(0, equals), .directories = {}};
  const std::string list = equals == std::string::npos ? text : text.substr(equals + 1);
  for (size_t begin = 0; begin <= list.size();) {
    const size_t end = std::min(list.find(',', begin), list.size());
    group.directories.push_back(list.substr(begin, end - begin));
    if (group.name.empty() || group.directories.back().empty()) {
      throw UsageError("{} names no run, expected DIR or NAME=DIR,DIR,...", quote(text));
    }
    begin = end + 1;
  }
  return group;
}

}  // namespace roformer
