// What makes one vector of the hidden states of a text's tokens: the modules that sentence-transformers' modules.json
// lists behind the transformer, in order. Computed on the host, in double, text by text.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "inference/torch_activation.h"

namespace roformer {

// How the vectors of a text's tokens, [CLS] and [SEP] included, become one.
enum class TextPooling {
  cls,                   // the first token's
  mean,                  // Σ x / n
  max,                   // the largest of each column
  mean_sqrt_len_tokens,  // Σ x / √n
  weightedmean,          // Σ i·x / Σ i, the first token's i being 1
  lasttoken,             // the last token's
  pooler                 // the model's pooler, applied to the first token
};

// UsageError unless the name is one of pooling_names(), which are those of sentence-transformers and "pooler".
TextPooling parse_pooling(std::string_view name);
const std::vector<std::string>& pooling_names();

// The vectors of all modes, one behind the other.
struct PoolStep {
  std::vector<TextPooling> modes = {TextPooling::mean};
  bool include_prompt = true;  // false: the first prompt_tokens tokens are left out
};

// activation(W x + b), plus the input (projected, if sizes differ) with `residual`.
struct DenseWeights {
  int64_t inputs = 0, outputs = 0;
  std::vector<float> weight;      // [outputs, inputs]
  std::vector<float> bias;        // [outputs]; may be empty
  std::vector<float> projection;  // of the residual, [outputs, inputs]; may be empty
};
struct DenseStep {
  std::shared_ptr<const DenseWeights> weights;
  ElementFunction activation = nullptr;
  bool residual = false;
};

struct NormalizeStep {};  // to length 1; zero vectors are unchanged

struct LayerNormStep {
  std::vector<float> weight, bias;  // [width]
};

struct SentenceStep {
  std::variant<PoolStep, DenseStep, NormalizeStep, LayerNormStep> what;
  bool on_tokens = false;  // applied to each token's vector, before the pooling, instead of the text's
};

// The width of the result for hidden states of width `hidden`. DataError where a step does not fit the one before, or
// where the text has no vector yet.
int64_t sentence_width(std::span<const SentenceStep> steps, int64_t hidden);

struct TextStates {
  std::span<const float> hidden;  // [tokens, H], tokens >= 1
  int64_t tokens = 0;
  std::span<const float> pooler;  // [H] of TextPooling::pooler; empty where no step needs it
  int64_t prompt_tokens = 0;      // how many of the first tokens are the prompt's
};

// Whether a step needs TextStates::pooler.
bool needs_pooler(std::span<const SentenceStep> steps);

// The text's vector. `steps` fit the hidden states (sentence_width).
std::vector<float> apply_steps(std::span<const SentenceStep> steps, const TextStates& states);

// To length 1; a zero vector is unchanged.
void normalize_vector(std::span<float> values);

}  // namespace roformer
