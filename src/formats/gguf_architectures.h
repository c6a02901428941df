// How the models of GGUF files ("general.architecture") are described and named there, against config.json and the
// tensor names of transformers. To add one, add its row to the table in the source file.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>

#include "formats/gguf_file.h"

namespace roformer {

// Both without the architecture's prefix ("llama.block_count") or the layer's.
struct GgufName {
  const char *theirs, *ours;
};

// How the rows of some projections are ordered, against transformers.
enum class GgufRows {
  same,
  adjacent_pairs,  // q and k: rotary pairs are adjacent, in transformers halves of the head
  stacked,         // the fused projection is [q; k; v], in transformers interleaved by head
};

struct GgufArchitecture {
  const char* name;
  const char* model_type;  // of config.json
  const char* class_name;  // the first of "architectures"
  GgufRows rows = GgufRows::same;
  double norm_offset = 0;  // of norm weights, beyond what transformers stores
  std::span<const GgufName> keys;
  const char* activation_key;
  const char* activation;
  std::span<const GgufName> tensors;  // '*' is the number of a layer; without ".weight" or ".bias"
  // Adds to config.json what no single key says; null: nothing.
  void (*complete)(const GgufFile& file, Json& config) = nullptr;
};

// Of "general.architecture". DataError that names those there are.
const GgufArchitecture& gguf_architecture(const GgufFile& file);
// Of a "model_type"; null if there is none.
const GgufArchitecture* find_gguf_architecture(std::string_view model_type);

// "blk.3.attn_q.weight" → "model.layers.3.self_attn.q_proj.weight", and back; empty for other names.
std::string name_from_gguf(const GgufArchitecture& architecture, std::string_view name);
std::string name_in_gguf(const GgufArchitecture& architecture, std::string_view name);

}  // namespace roformer
