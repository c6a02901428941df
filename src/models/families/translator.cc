// This project's own encoder-decoders, "roformer_translator": any position encoding, norms before or after the
// sub-layers, and other parts that transformers' RoFormer does not have. The form is that of its EncoderDecoderModel;
// each half is a "roformer_variant", a "model_type" that transformers does not know, so that it loads none of it.
#include <nlohmann/json.hpp>
#include <utility>

#include "models/families/halves.h"
#include "models/stack_config.h"

namespace roformer {

namespace {

constexpr const char* kTranslatorType = "roformer_translator";
constexpr std::string_view kTranslatorTypes[] = {kTranslatorType};
constexpr Architecture kTranslatorArchitectures[] = {{"RoFormerTranslator", Head::causal_lm}};
constexpr const char* kHalfType = "roformer_variant";
constexpr std::array<std::pair<const char*, bool>, 2> kPlacements{{{"post", false}, {"pre", true}}};

// Norms of the input and one at the end ("pre"), or of the sum ("post").
StackNorms norms_of(bool before, bool of_embeddings) {
  StackNorms norms = before ? kPreNorms : kPostNorms;
  norms.embedding = of_embeddings;
  return norms;
}

void half_of_translator(ConfigKeys& keys, ModelConfig& half) {
  families::roformer.keys(keys, half);
  keys.others(
      {"model_type"},
      [](const JsonObject& json) {
        if (json.get_string("model_type", "") != kHalfType) json.reject("model_type", fmt::format("\"{}\"", kHalfType));
      },
      [&](Json& json) {
        json["model_type"] = kHalfType;  // also of what would be plain
        json["position_embedding_type"] = position_name(half.position);
      });
  keys.others(
      {"norm_placement", "embedding_norm"},
      [&](const JsonObject& json) {
        const bool before = parse_name(json, "norm_placement", kPlacements, "post");
        half.norms = norms_of(before, json.get_bool("embedding_norm", !before));
      },
      [&](Json& json) {
        json["norm_placement"] = name_in(kPlacements, half.norms.last);
        json["embedding_norm"] = half.norms.embedding;
      });
  keys.real("embedding_scale", half.embedding_scale, 1);
  keys.flag("gated_feed_forward", half.gated, false);
  keys.others(
      {"prediction_transform", "prediction_bias"},
      [&](const JsonObject& json) {
        half.head_transform = json.get_bool("prediction_transform", true);
        half.output_bias = json.get_bool("prediction_bias", true);
      },
      [&](Json& json) {
        if (!half.cross_attention) return;  // an encoder predicts nothing
        json["prediction_transform"] = half.head_transform;
        json["prediction_bias"] = half.output_bias;
      });
}

void translator_keys(ConfigKeys& keys, ModelConfig& config) {
  halves::all_keys(keys, config, kTranslatorType, half_of_translator);
}

std::vector<std::string> unread_of_translator(const JsonObject& json, std::string_view key) {
  return halves::unread(json, key, half_of_translator);
}

void complete_translator(ModelConfig& config, const std::string& source) {
  halves::complete(config, source);
  if (config.head_transform) config.output_bias = true;  // it has one
  for (const ModelConfig* half : {&std::as_const(config), config.encoder.get()}) {
    if (half->norms != norms_of(half->norms.last, half->norms.embedding)) {
      refuse_config(source, "norms are before each sub-layer and after the last one, or after each");
    }
    ModelConfig plain = *half;
    plain.norms = kPostNorms;
    plain.embedding_scale = 1;
    check_plain_stack(plain, source);
    if (half->kv_heads != 0 || half->attention_output_biased || half->feed_forward_biased) {
      refuse_config(source, "grouped key and value heads and single biases are a Llama's");
    }
  }
}

}  // namespace

constinit const Family families::translator{.name = kTranslatorType,
                                            .model_types = kTranslatorTypes,
                                            .architectures = kTranslatorArchitectures,
                                            .trunk = "",
                                            .signs = {},
                                            .tensors = halves::kTensors,
                                            .spellings = halves::kSpellings,
                                            .ignored = bert_like::kIgnored,
                                            .head_tensors = halves::kHeadTensors,
                                            .keys = translator_keys,
                                            .complete = complete_translator,
                                            .unread = unread_of_translator,
                                            .causal_setting = "roformer_translator, an encoder-decoder"};

}  // namespace roformer
