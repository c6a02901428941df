// Reads the JSON files of this folder.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/file.h"
#include "models/rotary_json.h"

namespace roformer {

inline JsonObject read_vectors(const std::string& name) {
  return JsonObject::read(join_path(ROFORMER_SOURCE_DIR "/tests/conformance", name + ".json"));
}

// The rotation that "settings" describe, for heads of `head_dim` elements.
inline RotaryPosition rotation_of(const Json& settings, int64_t head_dim) {
  RotaryPosition position;
  read_rotary(JsonObject(settings, "settings"), position);
  if (position.rotary.dim == 0) {
    position.rotary.dim = static_cast<int64_t>(position.share * static_cast<double>(head_dim));
  }
  return position;
}

}  // namespace roformer
