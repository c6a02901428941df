// ModelConfig: the shape of a RoFormer, as config.json says it (compatibility.md 3.1). models/ knows what a model is:
// its config, its trunk and heads, its files. It knows no training loop and no task. One config struct for all;
// sub-classes a family were rejected, because a trunk is chosen by values, and files do not respect class hierarchies.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "base/json.h"
#include "position/encoding.h"

namespace roformer {

enum class Head { none, masked_lm };

struct ModelConfig {
  int64_t vocabulary = 50000;
  int64_t embedding = 768;  // "embedding_size"; hidden_size where the file has none
  int64_t hidden = 768;
  int64_t layers = 12;
  int64_t heads = 12;
  int64_t intermediate = 3072;
  Activation activation = Activation::gelu;
  double hidden_dropout = 0.1;
  double attention_dropout = 0.1;
  int64_t max_positions = 1536;  // rows of a learned position table; a rotary model takes any length
  int64_t segments = 2;          // "type_vocab_size"
  double initializer_range = 0.02;
  double norm_epsilon = 1e-12;
  int64_t pad_id = 0;
  PositionEncoding position = RotaryPosition{};
  Head head = Head::masked_lm;

  int64_t head_dim() const { return hidden / heads; }
  int64_t parameters() const;  // numbers in all parameters, without allocating any
};

// Checks ranges and that the parts fit each other; completes the rotary dimension (0 → head size). `source` names the
// file; the error is a DataError, or a UsageError where `source` is empty (the settings came from options).
void complete(ModelConfig& config, const std::string& source);

// Keys that are not understood and could matter are returned in `unknown`, for a warning.
ModelConfig read_config(const JsonObject& json, std::vector<std::string>* unknown = nullptr);
ModelConfig read_config(const std::string& path, std::vector<std::string>* unknown = nullptr);

// As transformers' RoFormerConfig reads it. A model whose positions are not rotary gets "position_embedding_type" and
// another "model_type", so that no other program loads it as a RoFormer and rotates what was not trained rotated.
// DataError for settings that no such file can say (another rotary base or layout).
Json write_config(const ModelConfig& config);

// A shape as people give it: a preset or another config, and what differs from it.
struct ShapeOptions {
  std::string preset = "demo";
  std::optional<int64_t> hidden_size, embedding_size, layers, heads, intermediate_size;
  std::optional<std::string> position;  // rotary, sinusoidal, learned, none
  std::optional<double> dropout;        // of hidden states and attention weights

  bool any() const;  // besides preset and dropout
  // `base` with the differences; a new hidden size brings its embedding size and 4 times itself as intermediate size.
  // Not yet complete(). UsageError for an unknown position.
  ModelConfig apply(ModelConfig base) const;
};

// demo, roformer-small, roformer-base, paper-mlm; UsageError for others.
ModelConfig preset_config(const std::string& name);
const std::vector<std::string>& preset_names();

}  // namespace roformer
