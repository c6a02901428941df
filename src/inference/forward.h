// From raw ids to activations, for porting and checking models (cli.md, `forward`).
#pragma once

#include <string>
#include <vector>

#include "models/model.h"

namespace roformer {

// Reads the input_ids of such a file, non-empty lists of ids in [0, vocabulary); DataError if malformed.
std::vector<std::vector<int32_t>> read_input_ids(const std::string& path, int64_t vocabulary);

// Reads {"input_ids": [[…], …], "token_type_ids"?, "position_ids"?, "encoder_hidden_states"?: [[[…H], …], …]} (ragged
// lists), and of an encoder-decoder "decoder_input_ids", whose activations these then are, runs each sequence and
// writes `last_hidden_state.i` [S, H], with a pooler `pooler_output.i` [H] and with a head `logits.i`: [S, V] of a
// language model, [S, labels] of token classification, [S, 2] (start, end) of question answering, [labels] of sequence
// classification, [1] of multiple choice, to a safetensors file; of an encoder-decoder also
// `encoder_last_hidden_state.i`. `inputs` overrides the model's config. Returns the number of sequences. DataError
// naming the list and index of invalid input.
int64_t forward(const Model& model, const std::string& ids_path, const std::string& output_path,
                const StackInputs& inputs = {});

}  // namespace roformer
