// The vectors of texts, without training.
#pragma once

#include <cstdint>
#include <span>
#include <stop_token>

#include "inference/embed.h"
#include "tasks/vectors/vector_matrix.h"

namespace roformer {

// One row per text, in batches of `batch_tokens`. DataError for a vector that is not finite; Interrupted if a stop is
// requested.
VectorMatrix text_vectors(const Model& model, std::span<const Encoding> texts, const EmbedOptions& options,
                          const std::stop_token& stop = {}, int64_t batch_tokens = 8192);

}  // namespace roformer
