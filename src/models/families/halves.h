// Encoder-decoders of two RoFormers: config.json has an object for each half, "encoder" and "decoder", as transformers'
// EncoderDecoderConfig; a tensor's name is that of a RoFormer's after "encoder." or "decoder.".
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "models/families/bert_like.h"

namespace roformer::halves {

// Parameters that a RoFormer does not have, named like its others.
inline constexpr TensorRule kMoreTensors[] = {
    {"layers.*.feed_forward.gate.*", ".encoder.layer.*.intermediate.gate.*"},
    {"final_norm.*", ".encoder.LayerNorm.*"},
};

// The table of both halves is put together from that of one, at compile time.
struct RuleText {
  std::array<char, 96> ours{}, theirs{};
};
constexpr std::array<char, 96> joined(std::string_view first, std::string_view second) {
  std::array<char, 96> text{};
  size_t end = 0;
  for (const std::string_view part : {first, second}) {
    for (const char c : part) text.at(end++) = c;
  }
  text.at(end) = '\0';  // one that is too long does not compile
  return text;
}
constexpr bool is_of_both(const TensorRule& rule) {
  return rule.theirs[0] == '.' && std::string_view(rule.ours) != "pooler.*";
}
constexpr bool is_of_head(const TensorRule& rule) { return std::string_view(rule.ours).starts_with("head."); }

constexpr size_t count_rules() {
  size_t count = 2 * std::size(kMoreTensors);
  for (const TensorRule& rule : bert_like::kTensors) count += is_of_both(rule) ? 2 : is_of_head(rule) ? 1 : 0;
  return count;
}
constexpr auto make_texts() {
  std::array<RuleText, count_rules()> texts{};
  size_t end = 0;
  const auto add = [&](const TensorRule& rule) {
    if (is_of_both(rule)) {
      texts.at(end++) = {joined(rule.ours, ""), joined("decoder.roformer", rule.theirs)};
      texts.at(end++) = {joined("encoder.", rule.ours), joined("encoder", rule.theirs)};
    } else if (is_of_head(rule)) {
      texts.at(end++) = {joined(rule.ours, ""), joined("decoder.", rule.theirs)};
    }
  };
  for (const TensorRule& rule : bert_like::kTensors) add(rule);
  for (const TensorRule& rule : kMoreTensors) add(rule);
  return texts;
}
inline constexpr auto kTexts = make_texts();
constexpr auto make_rules() {
  std::array<TensorRule, kTexts.size()> rules{};
  for (size_t i = 0; i < rules.size(); ++i) rules.at(i) = {kTexts.at(i).ours.data(), kTexts.at(i).theirs.data()};
  return rules;
}
inline constexpr auto kTensors = make_rules();

// bert_like::kSpellings of the decoder's head.
inline constexpr Spelling kSpellings[] = {{"*LayerNorm.weight", "*LayerNorm.gamma", true},
                                          {"*LayerNorm.bias", "*LayerNorm.beta", true},
                                          {"decoder.cls.predictions.bias", "decoder.cls.predictions.decoder.bias"},
                                          {"decoder.cls.predictions.decoder.bias", "decoder.cls.predictions.bias"}};
inline constexpr const char* kHeadTensors[] = {"decoder.cls.*"};

// All keys of a half's object.
using HalfKeys = void (*)(ConfigKeys& keys, ModelConfig& half);
// All keys: "model_type", the objects, the tokens and "share_encoder_decoder_embeddings", which is this project's own:
// both halves use one embedding matrix. transformers keeps the key and ignores it; its own "tie_encoder_decoder" would
// tie the layers, too.
void all_keys(ConfigKeys& keys, ModelConfig& config, const char* model_type, HalfKeys half_keys);
// Family::unread.
std::vector<std::string> unread(const JsonObject& json, std::string_view key, HalfKeys half_keys);

// Refuses what is no encoder with a decoder that reads it.
void complete(ModelConfig& config, const std::string& source);

}  // namespace roformer::halves
