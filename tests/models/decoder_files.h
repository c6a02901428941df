// A small config.json of each family of causal language models, with its values set to something unusual.
#pragma once

#include <string>

#include "base/json.h"
#include "models/config.h"

namespace roformer::test {

struct DecoderJson {
  const char* name;
  const char* config;

  ModelConfig read() const { return read_config(JsonObject(parse_json(config, name), name)); }
};

inline constexpr DecoderJson kDecoderFiles[] = {
    {"llama", R"({"architectures": ["LlamaForCausalLM"], "vocab_size": 23, "hidden_size": 24, "num_hidden_layers": 3,
      "num_attention_heads": 6, "num_key_value_heads": 2, "intermediate_size": 10, "rope_theta": 100})"},
    {"llama_head_size",
     R"({"architectures": ["LlamaForCausalLM"], "vocab_size": 23, "hidden_size": 18, "num_hidden_layers": 3,
      "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 6, "intermediate_size": 10, "rope_theta": 100})"},
    {"mistral",
     R"({"architectures": ["MistralForCausalLM"], "vocab_size": 23, "hidden_size": 24, "num_hidden_layers": 3,
      "num_attention_heads": 6, "num_key_value_heads": 2, "intermediate_size": 10, "rope_theta": 100,
      "sliding_window": 4})"},
    {"qwen2", R"({"architectures": ["Qwen2ForCausalLM"], "vocab_size": 23, "hidden_size": 24, "num_hidden_layers": 3,
      "num_attention_heads": 6, "num_key_value_heads": 3, "intermediate_size": 10, "rope_theta": 100,
      "use_sliding_window": true, "sliding_window": 5, "max_window_layers": 1, "tie_word_embeddings": true})"},
    {"qwen3", R"({"architectures": ["Qwen3ForCausalLM"], "vocab_size": 23, "hidden_size": 24, "num_hidden_layers": 3,
      "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8, "intermediate_size": 10, "rope_theta": 100,
      "attention_bias": true})"},
    {"gemma", R"({"architectures": ["GemmaForCausalLM"], "vocab_size": 23, "hidden_size": 18, "num_hidden_layers": 3,
      "num_attention_heads": 4, "num_key_value_heads": 1, "head_dim": 6, "intermediate_size": 10, "rope_theta": 100,
      "torch_dtype": "bfloat16"})"},
    {"gemma2", R"({"architectures": ["Gemma2ForCausalLM"], "vocab_size": 23, "hidden_size": 18, "num_hidden_layers": 3,
      "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 6, "intermediate_size": 10, "rope_theta": 100,
      "sliding_window": 4, "attn_logit_softcapping": 1.5, "final_logit_softcapping": 2, "query_pre_attn_scalar": 3})"},
    {"gemma3", R"({"architectures": ["Gemma3ForCausalLM"], "vocab_size": 23, "hidden_size": 18, "num_hidden_layers": 3,
      "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 6, "intermediate_size": 10, "rope_theta": 1000,
      "rope_local_base_freq": 50, "sliding_window": 4, "sliding_window_pattern": 2, "query_pre_attn_scalar": 3,
      "rope_scaling": {"rope_type": "linear", "factor": 2.0}, "final_logit_softcapping": 2})"},
    {"gptj", R"({"architectures": ["GPTJForCausalLM"], "vocab_size": 23, "n_embd": 24, "n_layer": 3, "n_head": 3,
      "rotary_dim": 4, "n_inner": 10})"},
    {"gpt_neo", R"({"architectures": ["GPTNeoForCausalLM"], "vocab_size": 23, "hidden_size": 24, "num_layers": 3,
      "num_heads": 3, "intermediate_size": 10, "max_position_embeddings": 64, "window_size": 4,
      "attention_types": [[["local", "global", "local"], 1]]})"},
    {"gpt_neox", R"({"architectures": ["GPTNeoXForCausalLM"], "vocab_size": 23, "hidden_size": 24,
      "num_hidden_layers": 3, "num_attention_heads": 3, "intermediate_size": 10, "rotary_pct": 0.5})"},
    {"gpt_neox_sequential", R"({"architectures": ["GPTNeoXForCausalLM"], "vocab_size": 23, "hidden_size": 24,
      "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 10, "use_parallel_residual": false})"},
};

}  // namespace roformer::test
