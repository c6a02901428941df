#include "tasks/text_batches.h"

#include "base/error.h"

namespace roformer {

namespace {

Encoding encode_text(const Tokenizer& tokenizer, std::span<const std::string> texts, size_t i, int64_t max_length) {
  try {
    return tokenizer.encode(texts[i], std::nullopt, max_length);
  } catch (const DataError& error) {
    if (texts.size() == 1) throw;
    throw DataError("text {}: {}", i + 1, error.what());
  }
}

}  // namespace

void for_text_batches(const Tokenizer& tokenizer, std::span<const std::string> texts, const TextBatching& batching,
                      const std::function<void(size_t first, const Batch& batch)>& body) {
  if (batching.max_tokens < 1) throw UsageError("a batch of {} tokens holds no text", batching.max_tokens);
  Batch batch;
  size_t first = 0;
  for (size_t i = 0; i < texts.size(); ++i) {
    const Encoding encoding = encode_text(tokenizer, texts, i, batching.max_length);
    if (i > first && batch.tokens() + std::ssize(encoding.ids) > batching.max_tokens) {
      body(first, batch);
      batch = Batch();
      first = i;
    }
    batch.append(encoding.ids, encoding.segment_ids);
  }
  if (first < texts.size()) body(first, batch);
}

}  // namespace roformer
