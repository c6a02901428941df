// Text embeddings: the hidden states of a text's tokens pooled to one vector; and cosine similarity.
#pragma once

#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "inference/text_stream.h"
#include "models/model.h"

namespace roformer {

// Pooling over the hidden states of a text's tokens, [CLS] and [SEP] included. pooler: the model's pooler, applied to
// the first token.
enum class TextPooling { cls, mean, max, pooler };

struct EmbedOptions {
  TextPooling pooling = TextPooling::mean;
  bool normalize = false;  // to unit length; zero vectors are unchanged
};

struct PooledText {
  std::vector<float> values;  // [H]
  int64_t tokens = 0;
};

// UsageError unless the name is one of pooling_names(): cls, mean, max, pooler.
TextPooling parse_pooling(std::string_view name);
const std::vector<std::string>& pooling_names();

// The default for a model: pooler for RoFormer-Sim, recognized by its linear pooler, else mean.
TextPooling default_pooling(const ModelConfig& config);

// One vector per sequence of the batch. Uses the trunk only. DataError for a non-finite vector, and for
// TextPooling::pooler without a pooler; Interrupted if `stop` is requested.
std::vector<PooledText> embed(const Model& model, const Batch& batch, const EmbedOptions& options,
                              const std::stop_token& stop = {});

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

// Cosine similarity of two vectors of equal length; 0 if one of them is zero.
double cosine(std::span<const float> a, std::span<const float> b);

// The cosine of each pair's vectors, in order. Errors as for_text_batches, of one of several pairs with "pair N: ".
std::vector<double> similarities(const Model& model, const Tokenizer& tokenizer, TextPairs pairs,
                                 const EmbedOptions& options, const TextBatching& batching);

}  // namespace roformer
