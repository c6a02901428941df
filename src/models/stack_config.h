// The values of a config's stack of layers beside the sizes: what goes together, for complete().
#pragma once

#include <string>

#include "models/config.h"

namespace roformer {

// Errors as complete() has them. Writes values that say the default as that.
void complete_stack(ModelConfig& config, const std::string& source);

// For families whose files can say none of these values: windows, caps, scales, head sizes, norms of q and k, parallel
// residuals, rotations of single layers, norms but post- or pre-norm.
void check_plain_stack(const ModelConfig& config, const std::string& source);

}  // namespace roformer
