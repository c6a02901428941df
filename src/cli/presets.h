// The table of `roformer help presets`.
#pragma once

#include <string>

namespace roformer {

std::string presets_text();

}  // namespace roformer
