// Raw ids in, activations out: for people who port or check a model (cli.md, `forward`).
#pragma once

#include <string>

#include "models/model.h"

namespace roformer {

// Reads {"input_ids": [[…], …], "token_type_ids"?, "position_ids"?} (ragged lists), runs each sequence and writes
// `last_hidden_state.i` [S, H] and, with a head, `logits.i` [S, V] to a safetensors file. Returns the number of
// sequences. DataError naming the list and place of anything wrong.
int64_t forward(const Model& model, const std::string& ids_path, const std::string& output_path);

}  // namespace roformer
