// All families of operations.
#pragma once

#include <vector>

#include "tests/backend/cases.h"

namespace roformer::test {

const std::vector<Family>& families();

}  // namespace roformer::test
