// complete() for the layer stack: consistency of windows, norms, scales and caps.
#pragma once

#include <string>

#include "models/config.h"

namespace roformer {

// Errors as for complete(). Normalizes values equal to the default.
void complete_stack(ModelConfig& config, const std::string& source);

// Rejects, for families that cannot express them: windows, caps, scales, head sizes, norms of q and k, parallel
// residuals, per-layer rotations, and norms other than post- or pre-norm.
void check_plain_stack(const ModelConfig& config, const std::string& source);

}  // namespace roformer
