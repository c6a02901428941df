#include "interchange/llama2c.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "formats/llama2c_file.h"
#include "interchange/rotary_relayout.h"
#include "models/finite.h"
#include "position/rotary.h"

namespace roformer {

namespace {

ModelConfig config_of(const Llama2cFile& file, const std::string& path) {
  return read_config(JsonObject({{"model_type", "llama"},
                                 {"architectures", {"LlamaForCausalLM"}},
                                 {"vocab_size", file.vocabulary},
                                 {"hidden_size", file.dim},
                                 {"intermediate_size", file.hidden_dim},
                                 {"num_hidden_layers", file.layers},
                                 {"num_attention_heads", file.heads},
                                 {"num_key_value_heads", file.kv_heads},
                                 {"max_position_embeddings", file.positions},
                                 {"rms_norm_eps", 1e-5},  // like the others, from llama2.c's model.py and run.c
                                 {"rope_theta", 10000.0},
                                 {"tie_word_embeddings", file.shared_classifier},
                                 {"bos_token_id", 1},
                                 // Its training data separates texts by 1, where run.c stops; 2 is SentencePiece's end.
                                 {"eos_token_id", {1, 2}}},
                                path));
}

// Maps a name within a layer, such as "attention.wq"; null for others.
const char* name_in_layer(std::string_view name) {
  constexpr std::pair<std::string_view, const char*> kNames[] = {
      {"attention_norm", "input_layernorm"}, {"attention.wq", "self_attn.q_proj"},
      {"attention.wk", "self_attn.k_proj"},  {"attention.wv", "self_attn.v_proj"},
      {"attention.wo", "self_attn.o_proj"},  {"ffn_norm", "post_attention_layernorm"},
      {"feed_forward.w1", "mlp.gate_proj"},  {"feed_forward.w2", "mlp.down_proj"},
      {"feed_forward.w3", "mlp.up_proj"}};
  for (const auto& [theirs, ours] : kNames) {
    if (name == theirs) return ours;
  }
  return nullptr;
}

// "layers.3.attention.wq.weight" → "model.layers.3.self_attn.q_proj.weight".
std::string our_name(const std::string& name) {
  constexpr std::string_view kWeight = ".weight";
  if (name == "tok_embeddings.weight") return "model.embed_tokens.weight";
  if (name == "norm.weight") return "model.norm.weight";
  if (name == "output.weight") return "lm_head.weight";
  const size_t part = name.find('.', name.find('.') + 1) + 1;  // after the layer's number
  const char* const ours = name_in_layer(std::string_view(name).substr(part, name.size() - part - kWeight.size()));
  return "model." + name.substr(0, part) + (ours != nullptr ? ours : "") + std::string(kWeight);
}

}  // namespace

Llama2cModel read_llama2c_model(const std::string& path) {
  const Llama2cFile file = read_llama2c(path);
  Llama2cModel model{config_of(file, path), {}};
  const int64_t head_dim = model.config.head_dim();
  const std::vector<int64_t> permutation =
      rotary_permutation({.dim = head_dim, .layout = RotaryLayout::adjacent}, RotaryLayout::half, head_dim);
  for (const auto& [name, tensor] : file.weights) {
    check_finite(tensor, name, path);
    const bool permuted = name.ends_with("attention.wq.weight") || name.ends_with("attention.wk.weight");
    model.weights[our_name(name)] = permuted ? permute_head_rows(tensor, permutation, name) : tensor;
  }
  return model;
}

}  // namespace roformer
