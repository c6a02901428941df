#include "inference/embed.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace roformer {

namespace {

void normalize(std::span<float> values) {
  double squares = 0;
  for (const float value : values) squares += static_cast<double>(value) * value;
  if (squares == 0) return;
  const double scale = 1 / std::sqrt(squares);
  for (float& value : values) value = static_cast<float>(value * scale);
}

// DataError where one of these numbers is not finite.
void check_finite(const float* values, int64_t count) {
  if (std::all_of(values, values + count, [](float value) { return std::isfinite(value); })) return;
  throw DataError("the model's vectors are not finite numbers: its weights overflow, or are none themselves");
}

Value pool_texts(const Model& model, const Context& context, const Value& hidden, const Batch& batch,
                 TextPooling pooling) {
  switch (pooling) {
    case TextPooling::cls: return pool(context, hidden, batch.offsets, Pooling::cls);
    case TextPooling::mean: return pool(context, hidden, batch.offsets, Pooling::mean);
    case TextPooling::max: return pool(context, hidden, batch.offsets, Pooling::max);
    case TextPooling::pooler: return model.pooled(context, hidden, batch);
  }
  throw UsageError("{} {} is none of {}", FieldName("pooling"), static_cast<int>(pooling),
                   fmt::join(pooling_names(), ", "));
}

}  // namespace

const std::vector<std::string>& pooling_names() {
  static const std::vector<std::string> names = {"cls", "mean", "max", "pooler"};
  return names;
}

TextPooling parse_pooling(std::string_view name) {
  if (name == "cls") return TextPooling::cls;
  if (name == "mean") return TextPooling::mean;
  if (name == "max") return TextPooling::max;
  if (name == "pooler") return TextPooling::pooler;
  throw UsageError("{} \"{}\" is none of {}", FieldName("pooling"), name, fmt::join(pooling_names(), ", "));
}

TextPooling default_pooling(const ModelConfig& config) {
  const bool sim = config.pooler && config.pooler_activation == Activation::none;
  return sim ? TextPooling::pooler : TextPooling::mean;
}

std::vector<PooledText> embed(const Model& model, const Batch& batch, const EmbedOptions& options,
                              const std::stop_token& stop) {
  const Context context{.backend = model.backend(), .stop = stop};
  const Value hidden = model.encoder().forward(context, batch);
  const Tensor pooled = context.backend.to_host(pool_texts(model, context, hidden, batch, options.pooling).data);
  std::vector<PooledText> result;
  result.reserve(static_cast<size_t>(batch.sequences()));
  for (int64_t i = 0; i < pooled.rows(); ++i) {
    const auto sequence = static_cast<size_t>(i);
    const float* row = pooled.row<float>(i);
    check_finite(row, pooled.columns());
    result.push_back({{row, row + pooled.columns()}, batch.offsets[sequence + 1] - batch.offsets[sequence]});
    if (options.normalize) normalize(result.back().values);
  }
  return result;
}

std::vector<PooledText> embed(const Model& model, const Tokenizer& tokenizer, Texts texts, const EmbedOptions& options,
                              const TextBatching& batching) {
  std::vector<PooledText> result;
  result.reserve(texts.size());
  for_text_batches(tokenizer, texts, batching, model.backend().pool(), [&](size_t, const Batch& batch) {
    for (PooledText& pooled : embed(model, batch, options, batching.stop_token)) result.push_back(std::move(pooled));
  });
  return result;
}

std::vector<TokenVectors> embed_tokens(const Model& model, const Batch& batch, bool normalized,
                                       const std::stop_token& stop) {
  const Context context{.backend = model.backend(), .stop = stop};
  const Tensor hidden = context.backend.to_host(model.encoder().forward(context, batch).data);
  const auto width = static_cast<size_t>(hidden.columns());
  const std::span all(hidden.data<float>(), static_cast<size_t>(hidden.elements()));
  check_finite(all.data(), hidden.elements());
  std::vector<TokenVectors> result;
  result.reserve(static_cast<size_t>(batch.sequences()));
  for (size_t i = 0; i + 1 < batch.offsets.size(); ++i) {
    const auto begin = static_cast<size_t>(batch.offsets[i]),
               tokens = static_cast<size_t>(batch.offsets[i + 1]) - begin;
    const auto rows = all.subspan(begin * width, tokens * width);
    TokenVectors& vectors =
        result.emplace_back(TokenVectors{.values = {rows.begin(), rows.end()}, .tokens = static_cast<int64_t>(tokens)});
    for (size_t t = 0; normalized && t < tokens; ++t) normalize(std::span(vectors.values).subspan(t * width, width));
  }
  return result;
}

double cosine(std::span<const float> a, std::span<const float> b) {
  if (a.size() != b.size()) throw ShapeError("the cosine of vectors of {} and {} elements", a.size(), b.size());
  double dot = 0, squares_a = 0, squares_b = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    dot += static_cast<double>(a[i]) * b[i];
    squares_a += static_cast<double>(a[i]) * a[i];
    squares_b += static_cast<double>(b[i]) * b[i];
  }
  if (squares_a == 0 || squares_b == 0) return 0;
  return std::clamp(dot / std::sqrt(squares_a) / std::sqrt(squares_b), -1.0, 1.0);
}

std::vector<double> similarities(const Model& model, const Tokenizer& tokenizer, TextPairs pairs,
                                 const EmbedOptions& options, const TextBatching& batching) {
  PairList source(pairs);
  TextStream stream(source, encode_two_texts(tokenizer, batching.max_length, kPairSeparator), batching,
                    model.backend().pool());
  std::vector<double> result;
  result.reserve(pairs.size());
  for (TextBatch batch; stream.next(batch);) {
    const std::vector<PooledText> pooled = embed(model, batch.batch, options, batching.stop_token);
    for (size_t i = 0; i < pooled.size(); i += 2) result.push_back(cosine(pooled[i].values, pooled[i + 1].values));
  }
  return result;
}

}  // namespace roformer
