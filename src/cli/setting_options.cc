#include "cli/setting_options.h"

#include <algorithm>

namespace roformer {

std::string option_name(std::string_view setting) { return "--" + hyphenated(setting); }

std::string option_help(std::string_view help) {
  std::string result;
  while (!help.empty()) {
    const size_t open = std::min(help.find('`'), help.size());
    const size_t close = help.find('`', open + 1);
    result += help.substr(0, open);
    if (close == std::string_view::npos) return result.append(help.substr(open));
    result += option_name(help.substr(open + 1, close - open - 1));
    help.remove_prefix(close + 1);
  }
  return result;
}

}  // namespace roformer
