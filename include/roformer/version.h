// The version of the library a program runs with.
#pragma once

#include "roformer/export.h"

namespace roformer {
inline namespace v0 {

ROFORMER_EXPORT const char* version() noexcept;  // "0.1.0"

}  // namespace v0
}  // namespace roformer
