#include "roformer/text_model.h"

#include <utility>

#include "base/error.h"
#include "library/engine.h"
#include "library/text_tokenizer_impl.h"
#include "models/model.h"
#include "tasks/embed.h"
#include "tasks/fill_mask.h"

namespace roformer {

namespace {

TextPooling pooling_of(EmbeddingPooling pooling) {
  switch (pooling) {
    case EmbeddingPooling::cls: return TextPooling::cls;
    case EmbeddingPooling::mean: return TextPooling::mean;
    case EmbeddingPooling::max: return TextPooling::max;
    case EmbeddingPooling::pooler: return TextPooling::pooler;
  }
  throw UsageError("pooling {} is none of cls, mean, max and pooler", static_cast<int>(pooling));
}

HiddenStates hidden_states(const Tensor& hidden, int64_t begin, int64_t tokens) {
  const float* first = hidden.row<float>(begin);  // rows of a forward pass are contiguous
  return {tokens, hidden.columns(), {first, first + tokens * hidden.columns()}};
}

}  // namespace

struct TextModel::Implementation {
  Implementation(const std::string& directory, const ModelOptions& options)
      : engine(options.threads, options.device),
        batching{.max_length = options.max_length, .max_tokens = options.max_batch_tokens},
        model(load_model(directory, *engine.backend, false, &ignored)),
        tokenizer(TextTokenizer::open(directory)) {
    if (tokenizer.vocabulary_size() > model.config().vocabulary) {
      throw DataError("{}: the tokenizer has {} tokens, the model's vocabulary only {}", directory,
                      tokenizer.vocabulary_size(), model.config().vocabulary);
    }
    batching.limit = length_limit(model.config());
    // Settings that hold no text are refused here and not with the first text.
    for_text_batches(words(), std::array{std::string()}, batching, engine.pool, [](size_t, const Batch&) {});
  }

  const Tokenizer& words() const { return *tokenizer.implementation_->tokenizer; }
  Context context() const { return {*engine.backend, nullptr, {}, false}; }

  LibraryEngine engine;
  TextBatching batching;
  std::vector<std::string> ignored;
  Model model;
  TextTokenizer tokenizer;
};

TextModel::TextModel(std::unique_ptr<const Implementation> implementation)
    : implementation_(std::move(implementation)) {}
TextModel::TextModel(TextModel&&) noexcept = default;
TextModel& TextModel::operator=(TextModel&&) noexcept = default;
TextModel::~TextModel() = default;

TextModel TextModel::open(const std::string& directory, const ModelOptions& options) {
  return TextModel(std::make_unique<Implementation>(directory, options));
}

int64_t TextModel::hidden_size() const { return implementation_->model.config().hidden; }
int64_t TextModel::parameters() const { return implementation_->model.config().parameters(); }
bool TextModel::fills_masks() const { return implementation_->model.config().head == Head::masked_lm; }
const TextTokenizer& TextModel::tokenizer() const { return implementation_->tokenizer; }
const std::vector<std::string>& TextModel::ignored_settings() const { return implementation_->ignored; }

TokenizedText TextModel::tokenize(std::string_view text, const TokenizeOptions& options) const {
  return implementation_->tokenizer.tokenize(text, options);
}

HiddenStates TextModel::encode(std::string_view text) const {
  const std::string copy(text);
  return std::move(encode(std::span(&copy, 1)).front());
}

std::vector<HiddenStates> TextModel::encode(std::span<const std::string> texts) const {
  const Implementation& my = *implementation_;
  std::vector<HiddenStates> result;
  result.reserve(texts.size());
  for_text_batches(my.words(), texts, my.batching, my.model.backend().pool(), [&](size_t, const Batch& batch) {
    const Tensor hidden = my.model.encoder().forward(my.context(), batch).data;
    for (size_t i = 0; i + 1 < batch.offsets.size(); ++i) {
      result.push_back(hidden_states(hidden, batch.offsets[i], batch.offsets[i + 1] - batch.offsets[i]));
    }
  });
  return result;
}

HiddenStates TextModel::encode(const TokenizedText& text) const {
  Batch batch;
  batch.append(text.ids, text.segment_ids);
  const Tensor hidden = implementation_->model.encoder().forward(implementation_->context(), batch).data;
  return hidden_states(hidden, 0, batch.tokens());
}

TextEmbedding TextModel::embed(std::string_view text, const EmbeddingOptions& options) const {
  const std::string copy(text);
  return std::move(embed(std::span(&copy, 1), options).front());
}

std::vector<TextEmbedding> TextModel::embed(std::span<const std::string> texts, const EmbeddingOptions& options) const {
  const Implementation& my = *implementation_;
  std::vector<TextEmbedding> result;
  result.reserve(texts.size());
  const EmbedOptions how{pooling_of(options.pooling), options.normalize};
  for (PooledText& pooled : roformer::embed(my.model, my.words(), texts, how, my.batching)) {
    result.push_back({std::move(pooled.values), pooled.tokens});
  }
  return result;
}

FilledMasks TextModel::fill_mask(std::string_view text, int64_t top_k) const {
  const std::string copy(text);
  return std::move(fill_mask(std::span(&copy, 1), top_k).front());
}

std::vector<FilledMasks> TextModel::fill_mask(std::span<const std::string> texts, int64_t top_k) const {
  if (top_k < 1) throw UsageError("top_k is {}, expected at least 1", top_k);
  const Implementation& my = *implementation_;
  std::vector<FilledMasks> result;
  result.reserve(texts.size());
  const TextBatching uncut{.max_tokens = my.batching.max_tokens,
                           .limit = my.batching.limit};  // a cut could take a [MASK] away
  for (const auto& masks : fill_masks(my.model, my.words(), texts, top_k, uncut)) {
    FilledMasks& filled = result.emplace_back();
    for (const auto& candidates : masks) {
      auto& list = filled.emplace_back();
      for (const Candidate& c : candidates) list.push_back({my.words().token(c.id), c.id, c.score});
    }
  }
  return result;
}

}  // namespace roformer
