#include "formats/gguf_architectures.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/error.h"

namespace roformer {

namespace {

// Keys that decoders with RMS norms share.
constexpr GgufName kRmsKeys[] = {{"block_count", "num_hidden_layers"},
                                 {"context_length", "max_position_embeddings"},
                                 {"embedding_length", "hidden_size"},
                                 {"feed_forward_length", "intermediate_size"},
                                 {"attention.head_count", "num_attention_heads"},
                                 {"attention.head_count_kv", "num_key_value_heads"},
                                 {"attention.key_length", "head_dim"},
                                 {"attention.layer_norm_rms_epsilon", "rms_norm_eps"},
                                 {"attention.sliding_window", "sliding_window"},
                                 {"rope.freq_base", "rope_theta"}};
constexpr GgufName kGemma2Keys[] = {{"block_count", "num_hidden_layers"},
                                    {"context_length", "max_position_embeddings"},
                                    {"embedding_length", "hidden_size"},
                                    {"feed_forward_length", "intermediate_size"},
                                    {"attention.head_count", "num_attention_heads"},
                                    {"attention.head_count_kv", "num_key_value_heads"},
                                    {"attention.key_length", "head_dim"},
                                    {"attention.layer_norm_rms_epsilon", "rms_norm_eps"},
                                    {"attention.sliding_window", "sliding_window"},
                                    {"attn_logit_softcapping", "attn_logit_softcapping"},
                                    {"final_logit_softcapping", "final_logit_softcapping"},
                                    {"rope.freq_base", "rope_theta"}};
constexpr GgufName kNeoXKeys[] = {{"block_count", "num_hidden_layers"},
                                  {"context_length", "max_position_embeddings"},
                                  {"embedding_length", "hidden_size"},
                                  {"feed_forward_length", "intermediate_size"},
                                  {"attention.head_count", "num_attention_heads"},
                                  {"attention.layer_norm_epsilon", "layer_norm_eps"},
                                  {"use_parallel_residual", "use_parallel_residual"},
                                  {"rope.freq_base", "rotary_emb_base"}};

constexpr GgufName kLlamaNames[] = {{"token_embd", "model.embed_tokens"},
                                    {"output_norm", "model.norm"},
                                    {"output", "lm_head"},
                                    {"blk.*.attn_norm", "model.layers.*.input_layernorm"},
                                    {"blk.*.attn_q", "model.layers.*.self_attn.q_proj"},
                                    {"blk.*.attn_k", "model.layers.*.self_attn.k_proj"},
                                    {"blk.*.attn_v", "model.layers.*.self_attn.v_proj"},
                                    {"blk.*.attn_output", "model.layers.*.self_attn.o_proj"},
                                    {"blk.*.attn_q_norm", "model.layers.*.self_attn.q_norm"},
                                    {"blk.*.attn_k_norm", "model.layers.*.self_attn.k_norm"},
                                    {"blk.*.ffn_norm", "model.layers.*.post_attention_layernorm"},
                                    {"blk.*.ffn_gate", "model.layers.*.mlp.gate_proj"},
                                    {"blk.*.ffn_up", "model.layers.*.mlp.up_proj"},
                                    {"blk.*.ffn_down", "model.layers.*.mlp.down_proj"}};
constexpr GgufName kFourNormNames[] = {{"token_embd", "model.embed_tokens"},
                                       {"output_norm", "model.norm"},
                                       {"output", "lm_head"},
                                       {"blk.*.attn_norm", "model.layers.*.input_layernorm"},
                                       {"blk.*.attn_q", "model.layers.*.self_attn.q_proj"},
                                       {"blk.*.attn_k", "model.layers.*.self_attn.k_proj"},
                                       {"blk.*.attn_v", "model.layers.*.self_attn.v_proj"},
                                       {"blk.*.attn_output", "model.layers.*.self_attn.o_proj"},
                                       {"blk.*.attn_q_norm", "model.layers.*.self_attn.q_norm"},
                                       {"blk.*.attn_k_norm", "model.layers.*.self_attn.k_norm"},
                                       {"blk.*.post_attention_norm", "model.layers.*.post_attention_layernorm"},
                                       {"blk.*.ffn_norm", "model.layers.*.pre_feedforward_layernorm"},
                                       {"blk.*.post_ffw_norm", "model.layers.*.post_feedforward_layernorm"},
                                       {"blk.*.ffn_gate", "model.layers.*.mlp.gate_proj"},
                                       {"blk.*.ffn_up", "model.layers.*.mlp.up_proj"},
                                       {"blk.*.ffn_down", "model.layers.*.mlp.down_proj"}};
constexpr GgufName kNeoXNames[] = {{"token_embd", "gpt_neox.embed_in"},
                                   {"output_norm", "gpt_neox.final_layer_norm"},
                                   {"output", "embed_out"},
                                   {"blk.*.attn_norm", "gpt_neox.layers.*.input_layernorm"},
                                   {"blk.*.attn_qkv", "gpt_neox.layers.*.attention.query_key_value"},
                                   {"blk.*.attn_output", "gpt_neox.layers.*.attention.dense"},
                                   {"blk.*.ffn_norm", "gpt_neox.layers.*.post_attention_layernorm"},
                                   {"blk.*.ffn_up", "gpt_neox.layers.*.mlp.dense_h_to_4h"},
                                   {"blk.*.ffn_down", "gpt_neox.layers.*.mlp.dense_4h_to_h"}};

int64_t head_size(const Json& config) {
  if (config.contains("head_dim")) return config["head_dim"].get<int64_t>();
  return config["hidden_size"].get<int64_t>() / config["num_attention_heads"].get<int64_t>();
}

void complete_llama_file(const GgufFile& file, Json& config) {
  config["attention_bias"] = file.find("blk.0.attn_q.bias") != nullptr;
  config["mlp_bias"] = file.find("blk.0.ffn_gate.bias") != nullptr;
  if (!config.contains("sliding_window")) return;
  config["model_type"] = "mistral";
  config["architectures"] = {"MistralForCausalLM"};
  for (const char* other : {"attention_bias", "mlp_bias"}) config.erase(other);
}

// The divisor in the scale of scores: the head's size, in the largest model hidden size / heads (as in llama.cpp, since
// the file does not say it).
void set_score_scale(int64_t layers_of_largest, Json& config) {
  const bool largest = config["num_hidden_layers"] == layers_of_largest;
  config["query_pre_attn_scalar"] =
      largest ? config["hidden_size"].get<int64_t>() / config["num_attention_heads"].get<int64_t>() : head_size(config);
}

void complete_gemma2_file(const GgufFile&, Json& config) { set_score_scale(46, config); }

// The base of local layers and their pattern are not in the file either.
void complete_gemma3_file(const GgufFile&, Json& config) {
  set_score_scale(62, config);
  config["rope_local_base_freq"] = 10000.0;
  config["sliding_window_pattern"] = 6;
}

void complete_neox_file(const GgufFile& file, Json& config) {
  const int64_t rotated =
      file.metadata().get_int("gptneox.rope.dimension_count", head_size(config), 1, head_size(config));
  config["rotary_pct"] = static_cast<double>(rotated) / static_cast<double>(head_size(config));
}

constexpr const char *kAct = "hidden_act", *kGemmaAct = "hidden_activation", *kTanh = "gelu_pytorch_tanh";

constexpr std::array kGgufArchitectures{
    GgufArchitecture{"llama", "llama", "LlamaForCausalLM", GgufRows::adjacent_pairs, 0, kRmsKeys, kAct, "silu",
                     kLlamaNames, complete_llama_file},
    // Read by the row above, which finds its window.
    GgufArchitecture{"llama", "mistral", "MistralForCausalLM", GgufRows::adjacent_pairs, 0, kRmsKeys, kAct, "silu",
                     kLlamaNames},
    GgufArchitecture{"qwen2", "qwen2", "Qwen2ForCausalLM", GgufRows::same, 0, kRmsKeys, kAct, "silu", kLlamaNames},
    GgufArchitecture{"qwen3", "qwen3", "Qwen3ForCausalLM", GgufRows::same, 0, kRmsKeys, kAct, "silu", kLlamaNames},
    GgufArchitecture{"gemma", "gemma", "GemmaForCausalLM", GgufRows::same, 1, kRmsKeys, kGemmaAct, kTanh, kLlamaNames},
    GgufArchitecture{"gemma2", "gemma2", "Gemma2ForCausalLM", GgufRows::same, 1, kGemma2Keys, kGemmaAct, kTanh,
                     kFourNormNames, complete_gemma2_file},
    GgufArchitecture{"gemma3", "gemma3_text", "Gemma3ForCausalLM", GgufRows::same, 1, kGemma2Keys, kGemmaAct, kTanh,
                     kFourNormNames, complete_gemma3_file},
    GgufArchitecture{"gptneox", "gpt_neox", "GPTNeoXForCausalLM", GgufRows::stacked, 0, kNeoXKeys, kAct, "gelu",
                     kNeoXNames, complete_neox_file},
};

// `name` matched with `from` (which may have one star for a number), in the pattern `to`; empty if it does not match.
std::string translated(std::string_view name, std::string_view from, std::string_view to) {
  const size_t star = from.find('*');
  if (star == from.npos) return name == from ? std::string(to) : "";
  const std::string_view head = from.substr(0, star), tail = from.substr(star + 1);
  if (name.size() <= head.size() + tail.size() || !name.starts_with(head) || !name.ends_with(tail)) return "";
  const std::string_view number = name.substr(head.size(), name.size() - head.size() - tail.size());
  if (number.find_first_not_of("0123456789") != number.npos) return "";
  const size_t at = to.find('*');
  return std::string(to.substr(0, at)) + std::string(number) + std::string(to.substr(at + 1));
}

template <class From, class To>
std::string translated_by(std::span<const GgufName> names, std::string_view name, From from, To to) {
  const size_t dot = name.rfind('.');
  if (dot == name.npos) return "";
  const std::string_view kind = name.substr(dot);
  if (kind != ".weight" && kind != ".bias") return "";
  for (const GgufName& one : names) {
    if (std::string result = translated(name.substr(0, dot), one.*from, one.*to); !result.empty()) {
      return result + std::string(kind);
    }
  }
  return "";
}

}  // namespace

const GgufArchitecture& gguf_architecture(const GgufFile& file) {
  constexpr const char* kKey = "general.architecture";
  const std::string name = file.metadata().get_string(kKey, std::nullopt);
  std::string known;
  for (const GgufArchitecture& one : kGgufArchitectures) {
    if (name == one.name) return one;
    if (!known.ends_with(one.name)) known += (known.empty() ? "" : ", ") + std::string(one.name);
  }
  file.metadata().reject(kKey, known);
}

const GgufArchitecture* find_gguf_architecture(std::string_view model_type) {
  const auto* const found = std::ranges::find(kGgufArchitectures, model_type,
                                              [](const auto& one) { return std::string_view(one.model_type); });
  return found == kGgufArchitectures.end() ? nullptr : &*found;
}

std::string name_from_gguf(const GgufArchitecture& architecture, std::string_view name) {
  return translated_by(architecture.tensors, name, &GgufName::theirs, &GgufName::ours);
}

std::string name_in_gguf(const GgufArchitecture& architecture, std::string_view name) {
  return translated_by(architecture.tensors, name, &GgufName::ours, &GgufName::theirs);
}

}  // namespace roformer
