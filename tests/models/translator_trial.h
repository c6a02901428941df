// Tiny encoder-decoders of this project's own format, for the tests of this folder.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "models/families/family.h"
#include "tests/models/model_trial.h"

namespace roformer::test {

inline ModelConfig translator_half(const std::string& position) {
  ModelConfig half;
  half.family = &families::translator;
  half.vocabulary = 29;
  half.hidden = half.embedding = 16;
  half.layers = half.heads = 2;
  half.intermediate = 20;
  half.max_positions = 40;
  half.segments = 0;
  half.head = Head::none;
  half.position = parse_position(position);
  return half;
}

// Of the decoder's family; to be completed.
inline ModelConfig joined_halves(ModelConfig encoder, ModelConfig decoder) {
  decoder.head = Head::causal_lm;
  decoder.attention_mask = AttentionMask::causal;
  decoder.cross_attention = true;
  decoder.pad_id = 28;
  decoder.start_id = 28;
  decoder.eos_ids = {0};
  decoder.encoder = std::make_shared<const ModelConfig>(std::move(encoder));
  return decoder;
}

inline ModelConfig tiny_translator(const std::string& position) {
  ModelConfig config = joined_halves(translator_half(position), translator_half(position));
  complete(config, "");
  return config;
}

}  // namespace roformer::test
