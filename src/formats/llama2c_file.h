// The .bin files of llama2.c (github.com/karpathy/llama2.c, export.py): the weights of a Llama behind a few numbers.
// Version 0 has no magic number; 1 and 2 have a header of 256 bytes, and 2 has int8 weights in groups with a scale
// each.
#pragma once

#include <cstdint>
#include <string>

#include "formats/state_dict.h"

namespace roformer {

struct Llama2cFile {
  int64_t version = 0;
  int64_t dim = 0, hidden_dim = 0, layers = 0, heads = 0, kv_heads = 0, vocabulary = 0, positions = 0;
  bool shared_classifier = true;  // the output's weights are the embeddings
  // By the names of llama2.c's model.py: "tok_embeddings.weight", "layers.0.attention.wq.weight", "output.weight".
  // Views that keep the mapped file alive, or the numbers that int8 weights stand for. Rotation turns adjacent pairs.
  StateDict weights;
};

// DataError for numbers that make no model, and unless the file is exactly as long as they say.
Llama2cFile read_llama2c(const std::string& path);

}  // namespace roformer
