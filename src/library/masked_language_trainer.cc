#include "roformer/masked_language_trainer.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <variant>

#include "base/error.h"
#include "data/masking.h"
#include "models/save_model.h"
#include "tasks/session.h"
#include "text/tokenizer.h"
#include "training/optimizer.h"
#include "training/schedule.h"

namespace roformer {

namespace {

struct MaskedBatch {
  Batch batch;
  std::vector<int32_t> rows, labels;
};

const MaskedLanguageOptions& checked(const MaskedLanguageOptions& options) {
  const auto require = [](bool good, const char* name, double value, const char* expected) {
    if (!good) throw UsageError("{} is {}, expected {}", FieldName(name), value, expected);
  };
  const auto count = [](int64_t value) { return static_cast<double>(value); };
  require(options.learning_rate >= 0 && options.learning_rate <= 1000, "learning_rate", options.learning_rate,
          "0 to 1000");
  require(options.warmup >= 0, "warmup", count(options.warmup), "at least 0 steps");
  require(options.weight_decay >= 0 && options.weight_decay <= 1000, "weight_decay", options.weight_decay, "0 to 1000");
  require(options.clip_norm >= 0 && std::isfinite(options.clip_norm), "clip_norm", options.clip_norm, "at least 0");
  require(options.mask_probability > 0 && options.mask_probability <= 1, "mask_probability", options.mask_probability,
          "more than 0 and at most 1");
  require(options.max_length >= 3 && options.max_length <= 1 << 20, "max_length", count(options.max_length),
          "3 (two special tokens and one of the text) to 1048576");
  require(options.max_batch_tokens >= 1, "max_batch_tokens", count(options.max_batch_tokens), "at least 1");
  if (options.dtype == "int8") {
    throw UsageError("{} is int8, expected float32 or bfloat16: int8 has no gradients", FieldName("dtype"));
  }
  return options;
}

ModelConfig config_of(const ModelShape& shape, const MaskedLanguageOptions& options, const Tokenizer& tokenizer) {
  ModelConfig config;
  config.vocabulary = tokenizer.vocabulary_size();
  config.hidden = config.embedding = shape.hidden_size;
  config.layers = shape.layers;
  config.heads = shape.heads;
  config.intermediate = shape.intermediate_size;
  if (shape.intermediate_size == 0 && shape.hidden_size > 0 && shape.hidden_size <= 65536) {
    config.intermediate = 4 * shape.hidden_size;
  }
  config.hidden_dropout = config.attention_dropout = shape.dropout;
  config.max_positions = std::max<int64_t>(512, options.max_length);
  config.pad_id = tokenizer.pad_id();
  config.position = parse_position(shape.position);
  config.head = Head::masked_lm;
  complete(config, "");
  return config;
}

}  // namespace

struct MaskedLanguageTrainer::Implementation {
  // `directory` has the weights; empty: random ones.
  Implementation(std::unique_ptr<Tokenizer> words, const ModelConfig* new_model, const std::string& directory,
                 const MaskedLanguageOptions& settings)
      : options(checked(settings)),
        engine({.threads = options.threads, .device = options.device, .dtype = options.dtype}),
        tokenizer(std::move(words)),
        vocabulary(*tokenizer),
        model(new_model != nullptr ? Model(*engine.backend, *new_model, true)
                                   : load_model(directory, *engine.backend, true)),
        optimizer(model, {.weight_decay = options.weight_decay, .clip_norm = options.clip_norm}) {
    model.mlm_head();  // or there is nothing to train
    if (tokenizer->vocabulary_size() > model.config().vocabulary) {
      throw DataError("{}: the tokenizer has {} tokens, the model's vocabulary only {}", directory,
                      tokenizer->vocabulary_size(), model.config().vocabulary);
    }
    if (std::holds_alternative<LearnedPosition>(model.config().position) &&
        model.config().max_positions < options.max_length) {
      throw UsageError("{} {} is longer than the model's {} learned positions", FieldName("max_length"),
                       options.max_length, model.config().max_positions);
    }
    if (new_model != nullptr) model.initialise(substream({options.seed, 0}, 0));
  }

  RandomStream random(uint64_t purpose) const { return substream({options.seed, 0}, purpose); }

  // The texts' tokens cut every max_length - 2, each piece between [CLS] and [SEP].
  std::vector<std::vector<int32_t>> sequences(std::span<const std::string> texts) const {
    const auto room = static_cast<size_t>(options.max_length - 2);
    std::vector<std::vector<int32_t>> result;
    for (const std::string& text : texts) {
      const std::vector<int32_t> ids = tokenizer->encode_plain(text);
      for (size_t begin = 0; begin < ids.size(); begin += room) {
        const auto first = ids.begin() + static_cast<std::ptrdiff_t>(begin);
        const auto count = static_cast<std::ptrdiff_t>(std::min(room, ids.size() - begin));
        std::vector<int32_t>& sequence = result.emplace_back(1, tokenizer->cls_id());
        sequence.insert(sequence.end(), first, first + count);
        sequence.push_back(tokenizer->sep_id());
      }
    }
    return result;
  }

  // Sequence i is masked by substream i. DataError if there is nothing to mask.
  std::vector<MaskedBatch> masked_batches(std::span<const std::string> texts, RandomStream masks) const {
    const MaskingOptions masking{.probability = options.mask_probability, .whole_words = options.whole_words};
    std::vector<MaskedBatch> batches(1);
    uint64_t number = 0;
    bool any = false;
    for (const std::vector<int32_t>& sequence : sequences(texts)) {
      const MaskedSequence masked = mask_sequence(sequence, masking, vocabulary, substream(masks, number++));
      if (batches.back().batch.tokens() > 0 &&
          batches.back().batch.tokens() + std::ssize(sequence) > options.max_batch_tokens) {
        batches.emplace_back();
      }
      MaskedBatch& last = batches.back();
      const auto first = static_cast<int32_t>(last.batch.tokens());
      last.batch.append(masked.ids);
      for (const int32_t row : masked.rows) last.rows.push_back(first + row);
      last.labels.insert(last.labels.end(), masked.labels.begin(), masked.labels.end());
      any = any || !masked.labels.empty();
    }
    if (!any) throw DataError("the {} text(s) have no token that could be masked", texts.size());
    return batches;
  }

  Loss loss(const Context& context, const MaskedBatch& masked, double gradient_scale) const {
    const Value hidden = gather_rows(context, model.encoder().forward(context, masked.batch), masked.rows);
    return model.mlm_head().loss(context, hidden, model.encoder().words(), masked.labels, gradient_scale);
  }

  double train_step(std::span<const std::string> texts, const std::stop_token& stop) {
    const auto number = static_cast<uint64_t>(steps + 1);
    const std::vector<MaskedBatch> batches = masked_batches(texts, substream(random(1), number));
    size_t labels = 0;
    for (const MaskedBatch& masked : batches) labels += masked.labels.size();
    const double scale = 1.0 / static_cast<double>(labels);
    optimizer.zero_gradients();
    std::vector<Loss> losses;
    for (size_t i = 0; i < batches.size(); ++i) {
      Tape tape;
      const Context context{.backend = *engine.backend,
                            .tape = &tape,
                            .random = substream(substream(random(2), number), i),
                            .training = true,
                            .stop = stop};
      losses.push_back(loss(context, batches[i], scale));
      tape.backward();
    }
    double mean = 0;
    for (const Loss& part : losses) mean += part.read().sum * scale;
    const double norm = optimizer.gradient_norm();
    if (!std::isfinite(mean) || !std::isfinite(norm)) {
      throw DataError("step {}: the loss is {}, the gradient's norm {}; the model is as it was", number, mean, norm);
    }
    const Schedule schedule{.kind = ScheduleKind::constant,
                            .learning_rate = options.learning_rate,
                            .warmup = options.warmup,
                            .steps = std::numeric_limits<int64_t>::max()};
    ++steps;
    optimizer.step(steps, schedule.at(steps), norm);
    return mean;
  }

  MaskedLanguageOptions options;
  Engine engine;
  std::unique_ptr<Tokenizer> tokenizer;
  MaskingVocabulary vocabulary;
  Model model;
  AdamW optimizer;
  int64_t steps = 0;
};

MaskedLanguageTrainer::MaskedLanguageTrainer(std::unique_ptr<Implementation> implementation)
    : implementation_(std::move(implementation)) {}
MaskedLanguageTrainer::MaskedLanguageTrainer(MaskedLanguageTrainer&&) noexcept = default;
MaskedLanguageTrainer& MaskedLanguageTrainer::operator=(MaskedLanguageTrainer&&) noexcept = default;
MaskedLanguageTrainer::~MaskedLanguageTrainer() = default;

MaskedLanguageTrainer MaskedLanguageTrainer::create(const std::string& tokenizer_directory, const ModelShape& shape,
                                                    const MaskedLanguageOptions& options) {
  auto tokenizer = load_tokenizer(tokenizer_directory);
  const ModelConfig config = config_of(shape, checked(options), *tokenizer);
  tokenizer->set_model_max_length(options.max_length);
  return MaskedLanguageTrainer(std::make_unique<Implementation>(std::move(tokenizer), &config, "", options));
}

MaskedLanguageTrainer MaskedLanguageTrainer::open(const std::string& model_directory,
                                                  const MaskedLanguageOptions& options) {
  auto tokenizer = load_tokenizer(model_directory);
  return MaskedLanguageTrainer(
      std::make_unique<Implementation>(std::move(tokenizer), nullptr, model_directory, options));
}

double MaskedLanguageTrainer::step(std::span<const std::string> texts, std::stop_token stop) {
  return implementation_->train_step(texts, stop);
}

int64_t MaskedLanguageTrainer::steps() const { return implementation_->steps; }

MaskedLanguageScore MaskedLanguageTrainer::validate(std::span<const std::string> texts, std::stop_token stop) const {
  const Implementation& my = *implementation_;
  const Context context{.backend = *my.engine.backend, .stop = std::move(stop)};
  MaskedLanguageScore score;
  double sum = 0;
  int64_t correct = 0;
  for (const MaskedBatch& masked : my.masked_batches(texts, my.random(3))) {
    const LossSum part = my.loss(context, masked, 0).read();
    sum += part.sum;
    correct += part.correct;
    score.masked += std::ssize(masked.labels);
  }
  score.loss = sum / static_cast<double>(score.masked);
  score.accuracy = static_cast<double>(correct) / static_cast<double>(score.masked);
  return score;
}

void MaskedLanguageTrainer::save(const std::string& directory) const {
  save_model(implementation_->model, implementation_->tokenizer->files(), directory);
}

}  // namespace roformer
