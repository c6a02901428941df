// Errors of config checks: about a file's keys, or, without a file, about options.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "base/error.h"

namespace roformer {

// The field of ShapeOptions (config.h) or its PositionOptions that sets `key` of a config.json; empty if none.
inline std::string_view shape_field(std::string_view key) {
  using Field = std::pair<std::string_view, std::string_view>;
  constexpr std::array<Field, 17> kFields{{{"hidden_size", "hidden_size"},
                                           {"embedding_size", "embedding_size"},
                                           {"num_hidden_layers", "layers"},
                                           {"num_attention_heads", "heads"},
                                           {"intermediate_size", "intermediate_size"},
                                           {"hidden_dropout_prob", "dropout"},
                                           {"attention_type", "attention"},
                                           {"favor_features", "favor_features"},
                                           {"favor_redraw", "favor_redraw"},
                                           {"rope_theta", "rotary_base"},
                                           {"rotary_grid_width", "rotary_grid_width"},
                                           {"xpos_scale_base", "xpos_scale_base"},
                                           {"position_embedding_scale", "sinusoidal_scale"},
                                           {"max_relative_positions", "relative_clip"},
                                           {"relative_attention_num_buckets", "relative_buckets"},
                                           {"relative_attention_max_distance", "relative_max_distance"},
                                           {"max_position_embeddings", "max_positions"}}};
  for (const auto& [known, field] : kFields) {
    if (key == known) return field;
  }
  return {};
}

// Arguments of refuse_config() without a file: keys become fields.
template <class T>
constexpr bool kIsKey = std::is_same_v<std::remove_cvref_t<T>, KeyName>;
template <class T>
bool is_no_field(const T& argument) {
  if constexpr (kIsKey<T>) return argument.name != argument.shown || shape_field(argument.name).empty();
  return false;
}
template <class T>
decltype(auto) as_field(const T& argument) {
  if constexpr (kIsKey<T>) {
    return FieldName(shape_field(argument.name));
  } else {
    return (argument);
  }
}

// Throws a DataError that starts with `source`, or a UsageError if that is empty. Keys (KeyName) become details of the
// first; for the second they are replaced by their fields if all keys of the message have one.
template <class... Args>
[[noreturn]] void refuse_config(const std::string& source, fmt::format_string<Args...> format, Args&&... args) {
  const fmt::string_view text = format;
  if (!source.empty()) {
    throw DataError(fmt::runtime("{}: " + std::string(text.data(), text.size())), FilePath(source), args...);
  }
  if ((is_no_field(args) || ...)) throw UsageError("{}", fmt::format(fmt::runtime(text), args...));
  throw UsageError(fmt::runtime(text), as_field(args)...);
}

inline void check_range(const std::string& source, const auto& what, int64_t value, int64_t low, int64_t high) {
  if (value < low || value > high) refuse_config(source, "{} is {}, expected {} to {}", what, value, low, high);
}

}  // namespace roformer
