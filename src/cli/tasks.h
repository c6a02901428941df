// The page of `roformer help tasks`.
#pragma once

#include <string>

namespace roformer {

std::string tasks_text();

}  // namespace roformer
