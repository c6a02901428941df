// A model directory as one GGUF file.
#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "models/model.h"

namespace roformer {

// Values of `type` below.
const std::vector<std::string>& gguf_types();  // f16, q8_0, q4_0

struct GgufWritingReport {
  int64_t tensors = 0, numbers = 0;
  std::string source_hash, result_hash;  // of the values as rounded, and as read back; equal
};

// Writes `path`, which must not exist, and reads it back: config, names, shapes and every value, as rounded to their
// types. Matrices become `type` (F16 where rows are no whole blocks of it), vectors float32. `config` is the model's
// config.json, `files` those of its directory by name; the tokenizer is a byte-level BPE (tokenizer.json) or
// SentencePiece's BPE (tokenizer.model), or there is none. `name`: "general.name". DataError for what a GGUF file
// cannot express.
GgufWritingReport write_gguf_model(const Model& model, const Json& config,
                                   const std::map<std::string, std::string>& files, const std::string& type,
                                   const std::string& name, const std::string& path);

}  // namespace roformer
