// The settings of a run (training/settings.json) as table rows.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/json.h"

namespace roformer {

// Name and value of each; settings inside objects are named by their path, "model.hidden_size".
std::vector<std::pair<std::string, std::string>> settings_rows(const Json& settings);

}  // namespace roformer
