// The metadata of a GGUF file as the config.json and generation_config.json of a model directory.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "formats/gguf_architectures.h"

namespace roformer {

// Keys "ARCHITECTURE.…" that are not understood go into it unchanged, for the warning of whoever reads it. DataError
// naming the key that is missing, wrong, or means what no config.json can say.
Json gguf_config(const GgufFile& file, const GgufArchitecture& architecture);
// Its tokens.
Json gguf_generation_config(const GgufFile& file);

}  // namespace roformer
