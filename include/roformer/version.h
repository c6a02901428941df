// The version of the library a program runs with.
#pragma once

#include "roformer/export.h"

namespace roformer {

ROFORMER_EXPORT const char* version() noexcept;  // "0.1.0"

}  // namespace roformer
