// Shapes of the presets.
#include <fmt/ranges.h>

#include "base/error.h"
#include "models/config.h"
#include "models/families/family.h"

namespace roformer {

const std::vector<std::string>& preset_names() {
  static const std::vector<std::string> names{"demo",      "roformer-small",  "roformer-base",
                                              "paper-mlm", "paper-performer", "llama-100m"};
  return names;
}

ModelConfig preset_config(const std::string& name) {
  ModelConfig config;
  if (name == "demo") {
    config.vocabulary = 8000;
    config.hidden = config.embedding = 256;
    config.layers = config.heads = 4;
    config.intermediate = 1024;
    config.max_positions = 512;
  } else if (name == "roformer-small") {
    config.hidden = config.embedding = 384;
    config.layers = config.heads = 6;
    config.intermediate = 1536;
    config.max_positions = 512;
  } else if (name == "paper-mlm") {  // bert-base-uncased with rotary positions (paper.md 2.2)
    config.vocabulary = 30522;
    config.max_positions = 512;
  } else if (name == "paper-performer") {  // 12 layers of rotary FAVOR+ over characters (paper.md 2.4)
    config.vocabulary = 256;
    config.max_positions = 1024;
    config.attention = {AttentionKind::linear_favor};
    config.attention_mask = AttentionMask::causal;
    config.head = Head::causal_lm;
  } else if (name == "llama-100m") {  // grouped-query attention and SwiGLU; 100 million parameters with tied embeddings
    config.family = &families::llama;
    config.vocabulary = 32000;
    config.kv_heads = 4;
    config.intermediate = 2048;
    config.activation = Activation::silu;
    config.gated = true;
    config.biased = false;
    config.norm = NormKind::rms_with_gain;
    config.norms = kPreNorms;
    config.norm_epsilon = 1e-5;
    config.hidden_dropout = config.attention_dropout = 0;
    config.segments = 0;
    config.max_positions = 2048;
    config.position = RotaryPosition{{.layout = RotaryLayout::half}};
    config.attention_mask = AttentionMask::causal;
    config.head = Head::causal_lm;
  } else if (name != "roformer-base") {
    throw UsageError("{} is '{}'; expected {}", FieldName("preset"), name, fmt::join(preset_names(), ", "));
  }
  complete(config, "");
  return config;
}

}  // namespace roformer
