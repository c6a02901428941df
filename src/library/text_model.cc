#include "roformer/text_model.h"

#include <array>
#include <utility>

#include "base/error.h"
#include "generation/generate.h"
#include "inference/classify.h"
#include "inference/embed.h"
#include "inference/fill_mask.h"
#include "inference/sentence_choice.h"
#include "inference/session.h"
#include "library/text_tokenizer_impl.h"

namespace roformer {

namespace {

std::optional<TextPooling> pooling_of(EmbeddingPooling pooling) {
  switch (pooling) {
    case EmbeddingPooling::automatic: return std::nullopt;
    case EmbeddingPooling::cls: return TextPooling::cls;
    case EmbeddingPooling::mean: return TextPooling::mean;
    case EmbeddingPooling::max: return TextPooling::max;
    case EmbeddingPooling::pooler: return TextPooling::pooler;
  }
  throw UsageError("{} {} is not one of automatic, cls, mean, max and pooler", FieldName("pooling"),
                   static_cast<int>(pooling));
}

std::vector<Classification> classifications(const std::vector<std::string>& labels,
                                            std::vector<std::vector<double>> scores) {
  std::vector<Classification> result;
  result.reserve(scores.size());
  for (std::vector<double>& one : scores) {
    const size_t best = best_of(one);
    result.push_back({labels[best], one[best], std::move(one)});
  }
  return result;
}

GenerationOptions generation_of(const TextGenerationOptions& options, const std::stop_token& stop) {
  GenerationOptions result;
  result.sampling = {.greedy = options.greedy,
                     .temperature = options.temperature,
                     .top_k = options.top_k,
                     .top_p = options.top_p,
                     .min_p = options.min_p,
                     .repetition_penalty = options.repetition_penalty};
  result.max_new_tokens = options.max_new_tokens;
  result.min_new_tokens = options.min_new_tokens;
  result.stops = options.stop_strings;
  result.seed = options.seed;
  if (options.context != 0) result.window = options.context;
  if (!options.overflow.empty()) result.overflow = parse_overflow(options.overflow);
  if (!options.attention_mask.empty()) result.attention_mask = parse_attention_mask(options.attention_mask);
  result.batch = options.batch_size;
  result.stop_token = stop;
  return result;
}

GenerationEnd end_of(FinishReason reason) {
  switch (reason) {
    case FinishReason::end: return GenerationEnd::end_token;
    case FinishReason::stop: return GenerationEnd::stop_string;
    case FinishReason::length: return GenerationEnd::length;
    case FinishReason::window: return GenerationEnd::context;
  }
  return GenerationEnd::length;
}

// `hidden` on the host.
HiddenStates hidden_states(const Tensor& hidden, int64_t begin, int64_t tokens) {
  const float* first = hidden.row<float>(begin);  // rows of a forward pass are contiguous
  return {tokens, hidden.columns(), {first, first + tokens * hidden.columns()}};
}

}  // namespace

struct TextModel::Implementation {
  Implementation(const std::string& directory, const ModelOptions& options)
      : session(directory, {.engine = {.threads = options.threads, .device = options.device, .dtype = options.dtype}}),
        batching{.max_length = options.max_length, .max_tokens = options.max_batch_tokens},
        sentences(read_sentence_modules(directory)),
        tokenizer(std::make_unique<TextTokenizer::Implementation>(session.shared_tokenizer())) {
    batching.limit = length_limit(session.model().config(), session.tokenizer());
    // Settings that no text fits are rejected here and not with the first text.
    for_text_batches(session.tokenizer(), std::array{std::string()}, batching, session.pool(),
                     [](size_t, const Batch&) {});
  }

  TextBatching batching_until(const std::stop_token& stop) const {
    TextBatching result = batching;
    result.stop_token = stop;
    return result;
  }
  // The settings of a call of embed or similarity.
  struct Embedding {
    EmbedOptions options;
    TextBatching batching;
    Similarity kind;
  };
  Embedding embedding(const EmbeddingOptions& options, const std::stop_token& stop) const {
    SentenceChoice choice{.pooling = pooling_of(options.pooling),
                          .normalize = options.normalize,
                          .prompt = options.prompt,
                          .prompt_name = options.prompt_name};
    if (batching.max_length != 0) choice.max_length = batching.max_length;
    const SentenceVectors how = sentence_vectors(choice, sentences, session.model(), session.tokenizer());
    return {how.embed, prepared(how.texts.preparation, stop), how.similarity};
  }
  // The settings of a call of classify.
  struct Scoring {
    TextBatching batching;
    std::optional<LogitActivation> activation;
  };
  Scoring scoring(const std::stop_token& stop) const {
    SentenceChoice choice;
    if (batching.max_length != 0) choice.max_length = batching.max_length;
    const SentenceScores how = sentence_scores(choice, sentences, session.model().config(), session.tokenizer());
    return {prepared(how.texts.preparation, stop), how.activation};
  }
  TextBatching prepared(const TextPreparation& preparation, const std::stop_token& stop) const {
    TextBatching result = batching_until(stop);
    result.max_length = preparation.max_length;
    result.prompt = preparation.prompt;
    result.lower_case = preparation.lower_case;
    return result;
  }
  // On the host.
  Tensor hidden(const Batch& batch, const std::stop_token& stop) const {
    const Context context{.backend = session.backend(), .stop = stop};
    return context.backend.to_host(session.model().encoder().forward(context, batch).data);
  }

  Session session;
  TextBatching batching;
  SentenceModules sentences;
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

int64_t TextModel::hidden_size() const { return implementation_->session.model().config().hidden; }
int64_t TextModel::parameters() const { return implementation_->session.model().config().parameters(); }
bool TextModel::fills_masks() const { return implementation_->session.model().config().head == Head::masked_lm; }
bool TextModel::classifies_texts() const {
  return implementation_->session.model().config().head == Head::sequence_classification;
}
bool TextModel::generates_texts() const {
  const ModelConfig& config = implementation_->session.model().config();
  return config.is_language_model() && config.attention_mask != AttentionMask::bidirectional;
}
const std::vector<std::string>& TextModel::labels() const {
  static const std::vector<std::string> none;
  const ModelConfig& config = implementation_->session.model().config();
  const bool labels = config.head == Head::sequence_classification || config.head == Head::token_classification;
  return labels ? config.labels : none;
}
const TextTokenizer& TextModel::tokenizer() const { return implementation_->tokenizer; }
const std::vector<std::string>& TextModel::ignored_settings() const {
  return implementation_->session.notes().unknown_keys;
}
const std::vector<std::string>& TextModel::warnings() const { return implementation_->session.notes().warnings; }

TokenizedText TextModel::tokenize(std::string_view text, const TokenizeOptions& options) const {
  return implementation_->tokenizer.tokenize(text, options);
}

HiddenStates TextModel::encode(std::string_view text, std::stop_token stop) const {
  const std::string copy(text);
  return std::move(encode(std::span(&copy, 1), std::move(stop)).front());
}

std::vector<HiddenStates> TextModel::encode(std::span<const std::string> texts, std::stop_token stop) const {
  const Implementation& my = *implementation_;
  std::vector<HiddenStates> result;
  result.reserve(texts.size());
  for_text_batches(
      my.session.tokenizer(), texts, my.batching_until(stop), my.session.pool(), [&](size_t, const Batch& batch) {
        const Tensor hidden = my.hidden(batch, stop);
        for (size_t i = 0; i + 1 < batch.offsets.size(); ++i) {
          result.push_back(hidden_states(hidden, batch.offsets[i], batch.offsets[i + 1] - batch.offsets[i]));
        }
      });
  return result;
}

HiddenStates TextModel::encode(const TokenizedText& text, std::stop_token stop) const {
  Batch batch;
  batch.append(text.ids, text.segment_ids);
  return hidden_states(implementation_->hidden(batch, stop), 0, batch.tokens());
}

TextEmbedding TextModel::embed(std::string_view text, const EmbeddingOptions& options, std::stop_token stop) const {
  const std::string copy(text);
  return std::move(embed(std::span(&copy, 1), options, std::move(stop)).front());
}

std::vector<TextEmbedding> TextModel::embed(std::span<const std::string> texts, const EmbeddingOptions& options,
                                            std::stop_token stop) const {
  const Implementation& my = *implementation_;
  std::vector<TextEmbedding> result;
  result.reserve(texts.size());
  const auto how = my.embedding(options, stop);
  for (PooledText& pooled :
       roformer::embed(my.session.model(), my.session.tokenizer(), texts, how.options, how.batching)) {
    result.push_back({std::move(pooled.values), pooled.tokens});
  }
  return result;
}

FilledMasks TextModel::fill_mask(std::string_view text, int64_t top_k, std::stop_token stop) const {
  const std::string copy(text);
  return std::move(fill_mask(std::span(&copy, 1), top_k, std::move(stop)).front());
}

std::vector<FilledMasks> TextModel::fill_mask(std::span<const std::string> texts, int64_t top_k,
                                              std::stop_token stop) const {
  if (top_k < 1) throw UsageError("{} is {}, expected at least 1", FieldName("top_k"), top_k);
  const Session& session = implementation_->session;
  std::vector<FilledMasks> result;
  result.reserve(texts.size());
  TextBatching uncut = implementation_->batching_until(stop);
  uncut.max_length = 0;  // truncation could remove a [MASK]
  for (const auto& masks : fill_masks(session.model(), session.tokenizer(), texts, top_k, uncut)) {
    FilledMasks& filled = result.emplace_back();
    for (const auto& candidates : masks) {
      auto& list = filled.emplace_back();
      for (const Candidate& c : candidates) list.push_back({session.tokenizer().token(c.id), c.id, c.score});
    }
  }
  return result;
}

double TextModel::similarity(std::string_view first, std::string_view second, const EmbeddingOptions& options,
                             std::stop_token stop) const {
  const TextPair pair(first, second);
  return similarity(std::span(&pair, 1), options, std::move(stop)).front();
}

std::vector<double> TextModel::similarity(std::span<const TextPair> pairs, const EmbeddingOptions& options,
                                          std::stop_token stop) const {
  const Session& session = implementation_->session;
  const auto how = implementation_->embedding(options, stop);
  return similarities(session.model(), session.tokenizer(), pairs, how.options, how.batching, how.kind);
}

Classification TextModel::classify(std::string_view text, std::stop_token stop) const {
  const std::string copy(text);
  return std::move(classify(std::span(&copy, 1), std::move(stop)).front());
}

std::vector<Classification> TextModel::classify(std::span<const std::string> texts, std::stop_token stop) const {
  const Session& session = implementation_->session;
  const auto how = implementation_->scoring(stop);
  return classifications(labels(),
                         classify_sequences(session.model(), session.tokenizer(), texts, how.batching, how.activation));
}

std::vector<Classification> TextModel::classify(std::span<const TextPair> pairs, std::stop_token stop) const {
  const Session& session = implementation_->session;
  const auto how = implementation_->scoring(stop);
  return classifications(labels(),
                         classify_sequences(session.model(), session.tokenizer(), pairs, how.batching, how.activation));
}

GeneratedText TextModel::generate(std::string_view prompt, const TextGenerationOptions& options,
                                  std::stop_token stop) const {
  const std::string copy(prompt);
  return std::move(generate(std::span(&copy, 1), options, std::move(stop)).front());
}

std::vector<GeneratedText> TextModel::generate(std::span<const std::string> prompts,
                                               const TextGenerationOptions& options, std::stop_token stop) const {
  const Session& session = implementation_->session;
  GenerationOptions generation = generation_of(options, stop);
  generation.end_ids = named_end_ids(session.directory(), session.model().config());
  const TextGenerator generator(session.model(), session.tokenizer(), std::move(generation));
  std::vector<GeneratedText> result;
  const auto show = [&](size_t index, const std::string& text) {
    if (options.on_text) options.on_text(index, text);
  };
  for (Generated& one : generator.run_texts(prompts, show)) {
    result.push_back({std::move(one.text), std::move(one.ids), end_of(one.finish)});
  }
  return result;
}

}  // namespace roformer
