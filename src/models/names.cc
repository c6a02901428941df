#include "models/names.h"

#include <utility>

namespace roformer {

namespace {

// The first one that is found in a name after "model.layers.N" or at its begin; longer ones come first.
constexpr std::pair<const char*, const char*> kLlama[] = {{".embeddings.word_embeddings.", ".embed_tokens."},
                                                          {".attention.self.query.", ".self_attn.q_proj."},
                                                          {".attention.self.key.", ".self_attn.k_proj."},
                                                          {".attention.self.value.", ".self_attn.v_proj."},
                                                          {".attention.output.dense.", ".self_attn.o_proj."},
                                                          {".attention.output.LayerNorm.", ".input_layernorm."},
                                                          {".gate.dense.", ".mlp.gate_proj."},
                                                          {".intermediate.dense.", ".mlp.up_proj."},
                                                          {".output.dense.", ".mlp.down_proj."},
                                                          {".output.LayerNorm.", ".post_attention_layernorm."},
                                                          {".encoder.LayerNorm.", ".norm."},
                                                          {"cls.predictions.decoder.", "lm_head."}};

bool replace(std::string& name, const std::string& part, const char* by) {
  const size_t found = name.find(part);
  if (found == name.npos) return false;
  name.replace(found, part.size(), by);
  return true;
}

}  // namespace

std::string name_in_files(Family family, std::string name) {
  if (family != Family::llama) return name;
  for (const auto& [part, by] : kLlama) {
    if (replace(name, part, by)) break;
  }
  replace(name, ".encoder.layer.", ".layers.");
  return name;
}

}  // namespace roformer
