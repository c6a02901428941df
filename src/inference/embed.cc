#include "inference/embed.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace roformer {

bool is_finite(std::span<const float> values) {
  return std::ranges::all_of(values, [](float value) { return std::isfinite(value); });
}

namespace {

// DataError where one of these numbers is not finite.
void check_finite(const float* values, int64_t count) {
  if (is_finite({values, static_cast<size_t>(count)})) return;
  throw DataError("the model's vectors are not finite numbers: its weights overflow, or are none themselves");
}

}  // namespace

TextPooling default_pooling(const ModelConfig& config) {
  const bool sim = config.pooler && config.pooler_activation == Activation::none;
  return sim ? TextPooling::pooler : TextPooling::mean;
}

std::vector<PooledText> embed(const Model& model, const Batch& batch, const EmbedOptions& options,
                              const std::stop_token& stop) {
  const int64_t width = sentence_width(options.steps, model.config().hidden);
  const Context context{.backend = model.backend(), .stop = stop};
  const Value states = model.trunk().forward(context, batch);
  Tensor pooler;
  if (needs_pooler(options.steps)) pooler = context.backend.to_host(model.pooled(context, states, batch).data);
  const Tensor hidden = context.backend.to_host(states.data);
  std::vector<PooledText> result(static_cast<size_t>(batch.sequences()));
  context.backend.pool().run(batch.sequences(), [&](int64_t i) {
    const auto sequence = static_cast<size_t>(i);
    const int64_t begin = batch.offsets[sequence], tokens = batch.offsets[sequence + 1] - begin;
    TextStates text;
    text.hidden = {hidden.row<float>(begin), static_cast<size_t>(tokens * hidden.columns())};
    text.tokens = tokens;
    text.prompt_tokens = options.prompt_tokens;
    if (pooler.defined()) text.pooler = {pooler.row<float>(i), static_cast<size_t>(pooler.columns())};
    std::vector<float> values = apply_steps(options.steps, text);
    if (options.dimensions > 0 && options.dimensions < width) values.resize(static_cast<size_t>(options.dimensions));
    if (options.normalize) normalize_vector(values);
    if (options.check) check_finite(values.data(), std::ssize(values));
    result[sequence] = {std::move(values), tokens};
  });
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
  const Tensor hidden = context.backend.to_host(model.trunk().forward(context, batch).data);
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
    for (size_t t = 0; normalized && t < tokens; ++t)
      normalize_vector(std::span(vectors.values).subspan(t * width, width));
  }
  return result;
}

double similarity(Similarity kind, std::span<const float> a, std::span<const float> b) {
  if (a.size() != b.size()) throw ShapeError("the similarity of vectors of {} and {} elements", a.size(), b.size());
  double dot = 0, squares_a = 0, squares_b = 0, squares = 0, distance = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double x = a[i], y = b[i];
    dot += x * y;
    squares_a += x * x;
    squares_b += y * y;
    squares += (x - y) * (x - y);
    distance += std::abs(x - y);
  }
  switch (kind) {
    case Similarity::dot: return dot;
    case Similarity::euclidean: return -std::sqrt(squares);
    case Similarity::manhattan: return -distance;
    case Similarity::cosine: break;
  }
  if (squares_a == 0 || squares_b == 0) return 0;
  return std::clamp(dot / std::sqrt(squares_a) / std::sqrt(squares_b), -1.0, 1.0);
}

std::vector<double> similarities(const Model& model, const Tokenizer& tokenizer, TextPairs pairs,
                                 const EmbedOptions& options, const TextBatching& batching, Similarity kind) {
  PairList source(pairs);
  TextStream stream(source, encode_two_texts(tokenizer, batching.preparation(), kPairSeparator), batching,
                    model.backend().pool());
  std::vector<double> result;
  result.reserve(pairs.size());
  for (TextBatch batch; stream.next(batch);) {
    const std::vector<PooledText> pooled = embed(model, batch.batch, options, batching.stop_token);
    for (size_t i = 0; i < pooled.size(); i += 2) {
      result.push_back(similarity(kind, pooled[i].values, pooled[i + 1].values));
    }
  }
  return result;
}

}  // namespace roformer
