#include "tasks/vectors/text_vectors.h"

#include <algorithm>

namespace roformer {

VectorMatrix text_vectors(const Model& model, std::span<const Encoding> texts, const EmbedOptions& options,
                          const std::stop_token& stop, int64_t batch_tokens) {
  VectorMatrix vectors;
  int64_t row = 0;
  Batch batch;
  const auto compute = [&] {
    if (batch.sequences() == 0) return;
    for (const PooledText& text : embed(model, batch, options, stop)) {
      if (vectors.rows == 0) vectors = VectorMatrix(std::ssize(texts), std::ssize(text.values));
      std::ranges::copy(text.values, vectors.row(row++));
    }
    batch = Batch();
  };
  for (const Encoding& text : texts) {
    if (batch.tokens() + std::ssize(text.ids) > batch_tokens) compute();
    batch.append(text.ids, text.segment_ids);
  }
  compute();
  return vectors;
}

}  // namespace roformer
