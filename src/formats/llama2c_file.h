// The .bin files of llama2.c (github.com/karpathy/llama2.c, export.py): a header of dimensions, then the weights of a
// Llama. Version 0 has no magic number; 1 and 2 have a 256-byte header; 2 has int8 weights with one scale per group.
#pragma once

#include <cstdint>
#include <string>

#include "formats/state_dict.h"

namespace roformer {

struct Llama2cFile {
  int64_t version = 0;
  int64_t dim = 0, hidden_dim = 0, layers = 0, heads = 0, kv_heads = 0, vocabulary = 0, positions = 0;
  bool shared_classifier = true;  // the output weights are tied to the embeddings
  // Under the names of llama2.c's model.py: "tok_embeddings.weight", "layers.0.attention.wq.weight", "output.weight".
  // Views that keep the mapped file alive, or dequantized int8 weights. RoPE rotates adjacent pairs.
  StateDict weights;
};

// DataError for invalid dimensions and unless the file has exactly the size they imply.
Llama2cFile read_llama2c(const std::string& path);

}  // namespace roformer
