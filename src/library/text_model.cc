#include "roformer/text_model.h"

#include <utility>

#include "base/error.h"
#include "base/memory_files.h"
#include "generation/generate.h"
#include "inference/classify.h"
#include "inference/embed.h"
#include "inference/fill_mask.h"
#include "inference/head_scores.h"
#include "inference/question_answering.h"
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
    case EmbeddingPooling::mean_sqrt_length: return TextPooling::mean_sqrt_len_tokens;
    case EmbeddingPooling::weighted_mean: return TextPooling::weightedmean;
    case EmbeddingPooling::last_token: return TextPooling::lasttoken;
  }
  throw UsageError("{} {} is not an EmbeddingPooling", FieldName("pooling"), static_cast<int>(pooling));
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
    case FinishReason::halted: return GenerationEnd::halted;
  }
  return GenerationEnd::length;
}

// Appends all rows of a tensor on the host, which are contiguous after a forward pass.
void append(Matrix& matrix, const Tensor& rows) {
  matrix.rows += rows.rows();
  matrix.columns = rows.columns();
  if (rows.rows() == 0) return;
  const float* first = rows.row<float>(0);
  matrix.values.insert(matrix.values.end(), first, first + rows.rows() * rows.columns());
}

Batch batch_of(const TokenizedText& text) {
  Batch batch;
  batch.append(text.ids, text.segment_ids);
  return batch;
}

}  // namespace

struct TextModel::Implementation {
  Implementation(std::unique_ptr<const MemoryDirectory> in_memory, const std::string& directory,
                 const ModelOptions& options)
      : files(std::move(in_memory)),
        session(directory, {.engine = {.threads = options.threads, .device = options.device, .dtype = options.dtype}}),
        batching{.max_length = options.max_length, .max_tokens = options.max_batch_tokens},
        sentences(read_sentence_modules(directory)),
        tokenizer(std::make_unique<TextTokenizer::Implementation>(
            TextTokenizer::Implementation{session.shared_tokenizer()})) {
    batching.limit = length_limit(session.model().config(), session.tokenizer());
    // Settings that no text fits are rejected here and not with the first text.
    for_text_batches(session.tokenizer(), {""}, batching, session.pool(), [](size_t, const Batch&) {});
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
                          .prompt_name = options.prompt_name,
                          .dimensions = options.dimensions};
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
  std::vector<PooledText> embed(Texts texts, const EmbeddingOptions& options, const std::stop_token& stop) const {
    const auto how = embedding(options, stop);
    return roformer::embed(session.model(), session.tokenizer(), texts, how.options, how.batching);
  }
  // On the host.
  Tensor hidden(const Batch& batch, const std::stop_token& stop) const {
    const Context context{.backend = session.backend(), .stop = stop};
    return context.backend.to_host(session.model().trunk().forward(context, batch).data);
  }

  // The rows that `compute` gives for each batch of `texts`, and where those of each text begin: at its first token,
  // or where a batch has one row a text, at that row.
  template <class Compute>
  TextMatrix rows_of(Texts texts, const std::stop_token& stop, const Compute& compute) const {
    TextMatrix result;
    for_text_batches(session.tokenizer(), texts, batching_until(stop), session.pool(), [&](size_t, const Batch& batch) {
      const Tensor rows = compute(batch);
      const bool of_tokens = rows.rows() == batch.tokens();
      const int64_t before = result.rows;
      for (size_t i = 1; i < batch.offsets.size(); ++i) {
        result.offsets.push_back(before + (of_tokens ? batch.offsets[i] : static_cast<int64_t>(i)));
      }
      append(result, rows);
    });
    return result;
  }
  TextMatrix encode(Texts texts, const std::stop_token& stop) const {
    return rows_of(texts, stop, [&](const Batch& batch) { return hidden(batch, stop); });
  }
  TextMatrix logits(Texts texts, const std::stop_token& stop) const {
    return rows_of(texts, stop, [&](const Batch& batch) { return head_logits(session.model(), batch, stop); });
  }

  const std::unique_ptr<const MemoryDirectory> files;  // of which the session maps, if it is not on disk
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
  return TextModel(std::make_unique<Implementation>(nullptr, directory, options));
}

TextModel TextModel::open_memory(const MemoryFiles& files, const ModelOptions& options) {
  auto directory = std::make_unique<const MemoryDirectory>(files);
  const std::string path = directory->path();
  return TextModel(std::make_unique<Implementation>(std::move(directory), path, options));
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
bool TextModel::labels_tokens() const {
  return implementation_->session.model().config().head == Head::token_classification;
}
bool TextModel::answers_questions() const {
  return implementation_->session.model().config().head == Head::question_answering;
}
bool TextModel::chooses() const { return implementation_->session.model().config().head == Head::multiple_choice; }
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

Matrix TextModel::encode(std::string_view text, const std::stop_token& stop) const {
  return implementation_->encode(Texts{text}, stop);
}

TextMatrix TextModel::encode(Texts texts, const std::stop_token& stop) const {
  return implementation_->encode(texts, stop);
}

Matrix TextModel::encode(const TokenizedText& text, const std::stop_token& stop) const {
  Matrix result;
  append(result, implementation_->hidden(batch_of(text), stop));
  return result;
}

Matrix TextModel::logits(std::string_view text, const std::stop_token& stop) const {
  return implementation_->logits(Texts{text}, stop);
}

TextMatrix TextModel::logits(Texts texts, const std::stop_token& stop) const {
  return implementation_->logits(texts, stop);
}

Matrix TextModel::logits(const TokenizedText& text, const std::stop_token& stop) const {
  if (text.ids.empty()) throw DataError("no tokens, expected at least one");
  Matrix result;
  append(result, head_logits(implementation_->session.model(), batch_of(text), stop));
  return result;
}

TextEmbedding TextModel::embed(std::string_view text, const EmbeddingOptions& options,
                               const std::stop_token& stop) const {
  PooledText pooled = std::move(implementation_->embed(Texts{text}, options, stop).front());
  return {std::move(pooled.values), pooled.tokens};
}

Matrix TextModel::embed(Texts texts, const EmbeddingOptions& options, const std::stop_token& stop) const {
  Matrix result;
  for (const PooledText& pooled : implementation_->embed(texts, options, stop)) {
    ++result.rows;
    result.columns = std::ssize(pooled.values);
    result.values.insert(result.values.end(), pooled.values.begin(), pooled.values.end());
  }
  return result;
}

FilledMasks TextModel::fill_mask(std::string_view text, int64_t top_k, const std::stop_token& stop) const {
  return std::move(fill_mask(Texts{text}, top_k, stop).front());
}

std::vector<FilledMasks> TextModel::fill_mask(Texts texts, int64_t top_k, const std::stop_token& stop) const {
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
                             const std::stop_token& stop) const {
  return similarity({{first, second}}, options, stop).front();
}

std::vector<double> TextModel::similarity(TextPairs pairs, const EmbeddingOptions& options,
                                          const std::stop_token& stop) const {
  const Session& session = implementation_->session;
  const auto how = implementation_->embedding(options, stop);
  return similarities(session.model(), session.tokenizer(), pairs, how.options, how.batching, how.kind);
}

Classification TextModel::classify(std::string_view text, const std::stop_token& stop) const {
  return std::move(classify(Texts{text}, stop).front());
}

std::vector<Classification> TextModel::classify(Texts texts, const std::stop_token& stop) const {
  const Session& session = implementation_->session;
  const auto how = implementation_->scoring(stop);
  return classifications(labels(),
                         classify_sequences(session.model(), session.tokenizer(), texts, how.batching, how.activation));
}

std::vector<Classification> TextModel::classify(TextPairs pairs, const std::stop_token& stop) const {
  const Session& session = implementation_->session;
  const auto how = implementation_->scoring(stop);
  return classifications(labels(),
                         classify_sequences(session.model(), session.tokenizer(), pairs, how.batching, how.activation));
}

std::vector<LabeledToken> TextModel::label_tokens(std::string_view text, const std::stop_token& stop) const {
  return std::move(label_tokens(Texts{text}, stop).front());
}

std::vector<std::vector<LabeledToken>> TextModel::label_tokens(Texts texts, const std::stop_token& stop) const {
  const Session& session = implementation_->session;
  std::vector<std::vector<LabeledToken>> result;
  for (const std::vector<TokenLabel>& found :
       roformer::label_tokens(session.model(), session.tokenizer(), texts, implementation_->batching_until(stop))) {
    std::vector<LabeledToken>& list = result.emplace_back();
    for (const TokenLabel& one : found) {
      list.push_back({session.tokenizer().token(one.id), one.id, labels()[one.label], one.score, one.offsets});
    }
  }
  return result;
}

TextAnswer TextModel::answer(std::string_view question, std::string_view context, const QuestionOptions& options,
                             const std::stop_token& stop) const {
  return std::move(answer({{question, context}}, options, stop).front());
}

std::vector<TextAnswer> TextModel::answer(TextPairs questions, const QuestionOptions& options,
                                          const std::stop_token& stop) const {
  if (options.max_tokens < 1) {
    throw UsageError("{} is {}, expected at least 1", FieldName("max_tokens"), options.max_tokens);
  }
  const Session& session = implementation_->session;
  const TextBatching batching = implementation_->batching_until(stop);
  std::optional<int64_t> length;
  if (batching.max_length != 0) length = batching.max_length;
  const QuestionWindows windows =
      question_windows(session.model().config(), session.tokenizer(), length, options.stride);
  std::vector<TextAnswer> result;
  for (Answer& found : answer_questions(session.model(), session.tokenizer(), questions, windows, batching,
                                        {.max_tokens = options.max_tokens, .align_to_words = options.align_to_words})) {
    result.push_back({std::move(found.text), found.score, found.offsets});
  }
  return result;
}

std::vector<double> TextModel::choose(std::string_view prompt, Texts choices, const std::stop_token& stop) const {
  const Session& session = implementation_->session;
  return roformer::choose(session.model(), session.tokenizer(), prompt, choices, implementation_->batching_until(stop));
}

GeneratedText TextModel::generate(std::string_view prompt, const TextGenerationOptions& options,
                                  const std::stop_token& stop) const {
  return std::move(generate(Texts{prompt}, options, stop).front());
}

std::vector<GeneratedText> TextModel::generate(Texts prompts, const TextGenerationOptions& options,
                                               const std::stop_token& stop) const {
  const Session& session = implementation_->session;
  GenerationOptions generation = generation_of(options, stop);
  generation.end_ids = named_end_ids(session.directory(), session.model().config());
  const TextGenerator generator(session.model(), session.tokenizer(), std::move(generation));
  std::vector<GeneratedText> result;
  const auto show = [&](size_t index, int32_t id, const std::string& text) {
    if (options.on_text && !text.empty()) options.on_text(index, text);
    return !options.on_token || options.on_token(index, id, text);
  };
  for (Generated& one : generator.run_texts(prompts, show)) {
    result.push_back({std::move(one.text), std::move(one.ids), end_of(one.finish)});
  }
  return result;
}

}  // namespace roformer
