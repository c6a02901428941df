// The error for settings that have no effect where they are given: on this model, or beside others. It names them.
#pragma once

#include "base/error.h"

namespace roformer {

// A variable of the environment is meant for many commands; the program ignores one that does not apply (cli/main.cc).
class InapplicableError : public UsageError {
 public:
  using UsageError::UsageError;
};

}  // namespace roformer
