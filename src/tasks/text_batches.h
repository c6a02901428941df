// Many texts as packed batches of bounded size: what tasks that compute something for each text go through.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "nn/batch.h"
#include "text/tokenizer.h"

namespace roformer {

struct TextBatching {
  int64_t max_length = 0;      // a text is cut to so many tokens; 0 = never
  int64_t max_tokens = 16384;  // of a batch, unless its only text has more
};

// body(first, batch) for consecutive runs of texts: sequence i of the batch is texts[first + i], [CLS] and [SEP]
// included. An error of one of several texts starts with "text N: ", N counted from 1. UsageError for limits that
// hold no text.
void for_text_batches(const Tokenizer& tokenizer, std::span<const std::string> texts, const TextBatching& batching,
                      const std::function<void(size_t first, const Batch& batch)>& body);

}  // namespace roformer
