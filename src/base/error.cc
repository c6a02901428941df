#include "base/error.h"

namespace roformer {

Error::~Error() = default;

}  // namespace roformer
