// transformers' EncoderDecoderModel of two RoFormers: a RoFormerModel and a RoFormerForCausalLM with cross-attention,
// which rotates nothing (compatibility.md 3.3.5).
#include <algorithm>
#include <nlohmann/json.hpp>

#include "models/families/halves.h"
#include "models/families/position_table.h"
#include "models/stack_config.h"

namespace roformer {

namespace {

constexpr std::string_view kEncoderDecoderTypes[] = {"encoder-decoder"};
constexpr Architecture kEncoderDecoderArchitectures[] = {{"EncoderDecoderModel", Head::causal_lm}};
constexpr const char* kDecoderWords = "decoder.roformer.embeddings.word_embeddings.weight";
constexpr const char* kEncoderWords = "encoder.embeddings.word_embeddings.weight";

void half_of_encoder_decoder(ConfigKeys& keys, ModelConfig& half) {
  keys.others({"model_type"},
              [](const JsonObject& json) {
                if (json.get_string("model_type", "") != "roformer") json.reject("model_type", "\"roformer\"");
              },
              {});
  families::roformer.keys(keys, half);
}

void encoder_decoder_keys(ConfigKeys& keys, ModelConfig& config) {
  halves::all_keys(keys, config, "encoder-decoder", half_of_encoder_decoder);
}

std::vector<std::string> unread_of_encoder_decoder(const JsonObject& json, std::string_view key) {
  return halves::unread(json, key, half_of_encoder_decoder);
}

// Rejects what transformers' RoFormer would compute otherwise.
void require_roformer(const ModelConfig& half, const std::string& source) {
  const auto* rotary = std::get_if<RotaryPosition>(&half.position);
  if (rotary == nullptr ||
      *rotary != RotaryPosition{.rotary = {.dim = half.head_dim()}, .rotate_values = rotary->rotate_values}) {
    refuse_config(source,
                  "transformers' RoFormer rotates adjacent pairs of whole heads with base 10000, and has no positions "
                  "that are {}; a \"roformer_translator\" may have them",
                  rotary == nullptr ? position_name(half.position) : "rotary with other settings");
  }
  const auto refuse = [&](bool wrong, const char* what) {
    if (!wrong) return;
    refuse_config(source, "transformers' RoFormer has {}; a \"roformer_translator\" may be without", what);
  };
  refuse(half.norms != kPostNorms, "a norm after each sub-layer and one of the embeddings");
  refuse(half.norm != NormKind::layer, "layer norms with gains and biases");
  refuse(!half.biased, "biases in attention and feed-forward network");
  refuse(half.segments < 1, "token types");
  refuse(half.embedding_scale != 1, "word embeddings that are not multiplied");
  refuse(half.gated, "a feed-forward network without a gate");
  refuse(half.has_linear_attention(), "softmax attention");
  refuse(!half.head_transform, "a dense layer and a norm before its output");
  bert_like::refuse_decoder_values(half, source);
}

void complete_encoder_decoder(ModelConfig& config, const std::string& source) {
  halves::complete(config, source);
  require_roformer(*config.encoder, source);
  require_roformer(config, source);
  if (config.rotate_cross_queries) {
    refuse_config(source, "cross-attention of transformers' RoFormer rotates nothing: {} is to be \"none\"",
                  KeyName("cross_attention_rotation"));
  }
  config.output_bias = false;  // the transform has one
}

// transformers holds the embeddings of each half, and a table of sines and cosines.
void add_of_transformers(const ModelConfig& config, std::vector<std::pair<std::string, Tensor>>& tensors) {
  const auto words = std::ranges::find(tensors, kDecoderWords, &std::pair<std::string, Tensor>::first);
  if (config.shared_words && words != tensors.end()) tensors.emplace_back(kEncoderWords, Tensor(words->second));
  add_position_table(*config.encoder, "encoder.encoder.embed_positions.weight", tensors);
  add_position_table(config, "decoder.roformer.encoder.embed_positions.weight", tensors);
}

}  // namespace

constinit const Family families::encoder_decoder{.name = "encoder-decoder",
                                                 .model_types = kEncoderDecoderTypes,
                                                 .architectures = kEncoderDecoderArchitectures,
                                                 .trunk = "",
                                                 .signs = {},
                                                 .tensors = halves::kTensors,
                                                 .spellings = halves::kSpellings,
                                                 .ignored = bert_like::kIgnored,
                                                 .head_tensors = halves::kHeadTensors,
                                                 .keys = encoder_decoder_keys,
                                                 .complete = complete_encoder_decoder,
                                                 .unread = unread_of_encoder_decoder,
                                                 .add_tensors = add_of_transformers,
                                                 .causal_setting = "encoder-decoder"};

}  // namespace roformer
