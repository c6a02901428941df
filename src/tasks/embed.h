// Texts to vectors: the hidden states of each text's tokens pooled to one.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "models/model.h"
#include "tasks/text_batches.h"

namespace roformer {

struct EmbedOptions {
  Pooling pooling = Pooling::mean;  // mean and max go over all tokens of the text, [CLS] and [SEP] included
  bool normalize = false;           // to length 1; a zero vector stays as it is
  TextBatching batching = {};
};

struct PooledText {
  std::vector<float> values;  // [H]
  int64_t tokens = 0;
};

// One vector a text, in order. The trunk is enough; a head is not used. Errors as for_text_batches.
std::vector<PooledText> embed(const Model& model, const Tokenizer& tokenizer, std::span<const std::string> texts,
                              const EmbedOptions& options);

}  // namespace roformer
