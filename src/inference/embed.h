// Text embeddings: the hidden states of a text's tokens made into one vector; and similarity.
#pragma once

#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "inference/sentence_steps.h"
#include "inference/text_stream.h"
#include "models/model.h"

namespace roformer {

struct EmbedOptions {
  std::vector<SentenceStep> steps = {{PoolStep{}}};
  int64_t dimensions = 0;     // keep the first ones only; 0 = all
  bool normalize = false;     // to unit length, at the end; zero vectors are unchanged
  int64_t prompt_tokens = 0;  // that each text begins with (PoolStep::include_prompt)
  bool check = true;          // a vector that is not finite is an error
};

struct PooledText {
  std::vector<float> values;  // [width]
  int64_t tokens = 0;
};

// The default for a model: pooler for RoFormer-Sim, recognized by its linear pooler, else mean.
TextPooling default_pooling(const ModelConfig& config);

// One vector per sequence of the batch. Uses the trunk only. DataError for steps that do not fit, for
// TextPooling::pooler without a pooler, and for a non-finite vector; Interrupted if `stop` is requested.
std::vector<PooledText> embed(const Model& model, const Batch& batch, const EmbedOptions& options,
                              const std::stop_token& stop = {});

// Whether all numbers of a vector are: weights may be NaN, or overflow for some text.
bool is_finite(std::span<const float> values);

// One vector per text. Errors as for_text_batches.
std::vector<PooledText> embed(const Model& model, const Tokenizer& tokenizer, Texts texts, const EmbedOptions& options,
                              const TextBatching& batching);

// The hidden states of a text's tokens, special tokens included.
struct TokenVectors {
  std::vector<float> values;  // [tokens, H]
  int64_t tokens = 0;
};

// Those of each sequence of the batch, in order; with `normalize` each token's scaled to length 1. Errors as embed.
std::vector<TokenVectors> embed_tokens(const Model& model, const Batch& batch, bool normalize = false,
                                       const std::stop_token& stop = {});

// How similar two vectors are, the more the larger; distances are therefore negative.
enum class Similarity { cosine, dot, euclidean, manhattan };
// Of two vectors of equal length. The cosine is 0 if one of them is zero.
double similarity(Similarity kind, std::span<const float> a, std::span<const float> b);

// The similarity of each pair's vectors, in order. Errors as for_text_batches, of one of several pairs with "pair N: ".
std::vector<double> similarities(const Model& model, const Tokenizer& tokenizer, TextPairs pairs,
                                 const EmbedOptions& options, const TextBatching& batching,
                                 Similarity kind = Similarity::cosine);

}  // namespace roformer
