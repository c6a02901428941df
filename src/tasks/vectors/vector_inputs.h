// Examples whose texts become vectors: each distinct text encoded once.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/parallel.h"
#include "data/labeled/example.h"
#include "inference/text_stream.h"
#include "text/tokenizer.h"

namespace roformer {

struct VectorInputs {
  std::vector<Encoding> texts;  // without offsets; different ids
  // Of each example the indices of its texts: the pair, or anchor, positive and perhaps negatives.
  std::vector<std::vector<int32_t>> examples;
  int64_t cut = 0;  // examples that lost tokens to max_length
};

// What was cut, a sentence; nothing if nothing was.
std::vector<std::string> cut_notices(const VectorInputs& inputs, const std::string& file);

// DataError, with the example's line in `file`, for a text that cannot be encoded or has no tokens; UsageError for a
// max_length too small for any text.
VectorInputs encode_vector_inputs(std::span<const Example> examples, const std::string& file,
                                  const Tokenizer& tokenizer, const TextPreparation& preparation, ThreadPool& pool);

// Of each text those that belong with it, ascending: the positives of an anchor and the anchors of a positive.
std::vector<std::vector<int32_t>> find_partners(const VectorInputs& inputs);

}  // namespace roformer
