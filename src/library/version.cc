#include "roformer/version.h"

namespace roformer {

const char* version() noexcept { return ROFORMER_VERSION; }

}  // namespace roformer
