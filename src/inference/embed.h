// Texts to vectors: the hidden states of each text's tokens pooled to one; and how alike two texts are.
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

// How the hidden states of a text's tokens, [CLS] and [SEP] included, become one vector. pooler: what the model's
// pooler makes of the first token.
enum class TextPooling { cls, mean, max, pooler };

struct EmbedOptions {
  TextPooling pooling = TextPooling::mean;
  bool normalize = false;  // to length 1; a zero vector stays as it is
};

struct PooledText {
  std::vector<float> values;  // [H]
  int64_t tokens = 0;
};

// UsageError for a name that is none of pooling_names(): cls, mean, max, pooler.
TextPooling parse_pooling(std::string_view name);
const std::vector<std::string>& pooling_names();

// What the model was made for, where nothing else says: pooler of a RoFormer-Sim, whose pooler is linear, else mean.
TextPooling default_pooling(const ModelConfig& config);

// One vector a sequence of the batch, in order. The trunk is enough; a head is not used. DataError for a vector that is
// not finite, and for TextPooling::pooler of a model without one; Interrupted when `stop` is requested.
std::vector<PooledText> embed(const Model& model, const Batch& batch, const EmbedOptions& options,
                              const std::stop_token& stop = {});

// One vector a text, in order. Errors as for_text_batches.
std::vector<PooledText> embed(const Model& model, const Tokenizer& tokenizer, std::span<const std::string> texts,
                              const EmbedOptions& options, const TextBatching& batching);

// The hidden states of a text's tokens, [CLS] and [SEP] included, as they are.
struct TokenVectors {
  std::vector<float> values;  // [tokens, H]
  int64_t tokens = 0;
};

// Those of each sequence of the batch, in order; with `normalize` each token's scaled to length 1. Errors as embed.
std::vector<TokenVectors> embed_tokens(const Model& model, const Batch& batch, bool normalize = false,
                                       const std::stop_token& stop = {});

// The cosine of the angle between two vectors of one length; 0 where one of them is zero.
double cosine(std::span<const float> a, std::span<const float> b);

// The cosine of each pair's vectors, in order. Errors as for_text_batches, of one of several pairs with "pair N: ".
std::vector<double> similarities(const Model& model, const Tokenizer& tokenizer,
                                 std::span<const std::pair<std::string, std::string>> pairs,
                                 const EmbedOptions& options, const TextBatching& batching);

}  // namespace roformer
