#include "text/pipeline/byte_bpe_json.h"

#include <nlohmann/json.hpp>

namespace roformer {

Json byte_level_json(const ByteLevelSettings& settings) {
  const bool splits = settings.pattern == BytePattern::gpt2 || settings.pattern == BytePattern::smollm;
  const Json byte_level = {{"type", "ByteLevel"},
                           {"add_prefix_space", settings.adds_prefix_space},
                           {"trim_offsets", settings.trims_offsets},
                           {"use_regex", splits}};
  Json words = byte_level;
  if (settings.pattern != BytePattern::gpt2) {
    const Json digits = {{"type", "Digits"}, {"individual_digits", true}};
    const Json split = {{"type", "Split"},
                        {"pattern", {{"Regex", expression_of(settings.pattern)}}},
                        {"behavior", "Isolated"},
                        {"invert", false}};
    words = {{"type", "Sequence"}, {"pretokenizers", Json::array({splits ? digits : split, byte_level})}};
  }
  return {{"version", "1.0"},
          {"truncation", nullptr},
          {"padding", nullptr},
          {"added_tokens", Json::array()},
          {"normalizer", settings.composes ? Json{{"type", "NFC"}} : Json()},
          {"pre_tokenizer", std::move(words)},
          {"post_processor", settings.trims_offsets ? byte_level : Json()},
          {"decoder", byte_level},
          {"model",
           {{"type", "BPE"},
            {"dropout", nullptr},
            {"unk_token", nullptr},
            {"continuing_subword_prefix", nullptr},
            {"end_of_word_suffix", nullptr},
            {"fuse_unk", false},
            {"byte_fallback", false},
            {"ignore_merges", false},
            {"vocab", Json::object()},
            {"merges", Json::array()}}}};
}

}  // namespace roformer
