#include "roformer/version.h"

namespace roformer {

const char* v0::version() noexcept { return ROFORMER_VERSION; }

}  // namespace roformer
