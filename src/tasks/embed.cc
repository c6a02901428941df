#include "tasks/embed.h"

#include <cmath>

namespace roformer {

namespace {

void normalize(std::vector<float>& values) {
  double squares = 0;
  for (const float value : values) squares += static_cast<double>(value) * value;
  if (squares == 0) return;
  const double scale = 1 / std::sqrt(squares);
  for (float& value : values) value = static_cast<float>(value * scale);
}

}  // namespace

std::vector<PooledText> embed(const Model& model, const Tokenizer& tokenizer, std::span<const std::string> texts,
                              const EmbedOptions& options) {
  const Context context{model.backend(), nullptr, {}, false};
  std::vector<PooledText> result;
  result.reserve(texts.size());
  for_text_batches(tokenizer, texts, options.batching, [&](size_t, const Batch& batch) {
    const Value hidden = model.encoder().forward(context, batch);
    const Tensor pooled = pool(context, hidden, batch.offsets, options.pooling).data;
    for (int64_t i = 0; i < pooled.rows(); ++i) {
      const auto place = static_cast<size_t>(i);
      const float* row = pooled.row<float>(i);
      result.push_back({{row, row + pooled.columns()}, batch.offsets[place + 1] - batch.offsets[place]});
      if (options.normalize) normalize(result.back().values);
    }
  });
  return result;
}

}  // namespace roformer
