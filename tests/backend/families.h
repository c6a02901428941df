// All families of operations.
#pragma once

#include <vector>

#include "tests/backend/cases.h"

namespace roformer::testing {

const std::vector<Family>& families();

}  // namespace roformer::testing
