#include "roformer/masked_language_trainer.h"

#include <algorithm>
#include <limits>
#include <utility>
#include <variant>

#include "base/error.h"
#include "inference/session.h"
#include "models/save_model.h"
#include "models/shape_settings.h"
#include "text/tokenizer.h"
#include "training/language_objective.h"
#include "training/pretrain.h"
#include "training/training_step.h"

namespace roformer {

namespace {

// These options as those of a training run, which have the same ranges.
PretrainOptions run_options(const MaskedLanguageOptions& options) {
  PretrainOptions run;
  run.max_length = options.max_length;
  run.mask_probability = options.mask_probability;
  run.whole_word = options.whole_words;
  run.schedule.learning_rate = options.learning_rate;
  run.schedule.warmup = static_cast<double>(options.warmup);
  run.schedule.kind = "constant";
  run.optimizer.weight_decay = options.weight_decay;
  run.optimizer.clip_norm = options.clip_norm;
  return run;
}

const MaskedLanguageOptions& checked(const MaskedLanguageOptions& options) {
  check_settings(run_options(options));
  if (options.max_batch_tokens < 1) {
    throw UsageError("{}: expected an integer of at least 1, got {}", FieldName("max_batch_tokens"),
                     options.max_batch_tokens);
  }
  if (options.dtype == "int8") {
    throw UsageError("{} is int8, expected float32 or bfloat16: int8 has no gradients", FieldName("dtype"));
  }
  return options;
}

// `directory` is that of the model, empty for a new one.
Schedule schedule_of(const MaskedLanguageOptions& options, const std::string& directory) {
  PretrainOptions run = run_options(options);
  run.init_from = directory;
  return {.kind = ScheduleKind::constant,
          .learning_rate = options.learning_rate.value_or(run_defaults(run).learning_rate),
          .warmup = options.warmup,
          .steps = std::numeric_limits<int64_t>::max()};
}

// The ranges of a shape's fields, by their names here.
void check_shape(const ModelShape& shape) {
  ShapeOptions settings;
  settings.hidden_size = shape.hidden_size;
  settings.layers = shape.layers;
  settings.heads = shape.heads;
  if (shape.intermediate_size != 0) settings.intermediate_size = shape.intermediate_size;
  settings.dropout = shape.dropout;
  check_settings(settings);
  if (shape.hidden_size % shape.heads != 0) {
    throw UsageError("{} {} is not a multiple of {} {}", FieldName("hidden_size"), shape.hidden_size,
                     FieldName("heads"), shape.heads);
  }
}

ModelConfig config_of(const ModelShape& shape, const MaskedLanguageOptions& options, const Tokenizer& tokenizer) {
  check_shape(shape);
  ModelConfig config;
  config.vocabulary = tokenizer.vocabulary_size();
  config.hidden = config.embedding = shape.hidden_size;
  config.layers = shape.layers;
  config.heads = shape.heads;
  config.intermediate = shape.intermediate_size != 0 ? shape.intermediate_size : 4 * shape.hidden_size;
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
  // `directory` contains the weights; empty: random ones.
  Implementation(std::unique_ptr<Tokenizer> words, const ModelConfig* new_model, const std::string& directory,
                 const MaskedLanguageOptions& settings)
      : options(checked(settings)),
        engine({.threads = options.threads, .device = options.device, .dtype = options.dtype}),
        tokenizer(std::move(words)),
        labeling(make_labeler(run_options(options), *tokenizer, tokenizer->vocabulary_size())),
        model(new_model != nullptr ? Model(*engine.backend, *new_model, true)
                                   : load_model(directory, *engine.backend, true, &notes)),
        update(model, run_options(options).optimizer, schedule_of(options, directory), random(2)) {
    model.mlm_head();  // throws if there is none
    if (tokenizer->vocabulary_size() > model.config().vocabulary) {
      throw DataError("{}: the tokenizer has {} tokens, the model's vocabulary only {}", FilePath(directory),
                      tokenizer->vocabulary_size(), model.config().vocabulary);
    }
    if (std::holds_alternative<LearnedPosition>(model.config().position) &&
        model.config().max_positions < options.max_length) {
      throw UsageError("{} {} is longer than the model's {} learned positions", FieldName("max_length"),
                       options.max_length, model.config().max_positions);
    }
    if (new_model != nullptr) model.initialize(substream({options.seed, 0}, 0));
  }

  RandomStream random(uint64_t purpose) const { return substream({options.seed, 0}, purpose); }

  // The texts' tokens cut every max_length - 2, each piece between [CLS] and [SEP].
  std::vector<std::vector<int32_t>> sequences(Texts texts) const {
    const auto width = static_cast<size_t>(options.max_length - 2);
    std::vector<std::vector<int32_t>> result;
    for (size_t i = 0; i < texts.size(); ++i) {
      const std::vector<int32_t> ids = tokenizer->encode_plain(texts[i]);
      for (size_t begin = 0; begin < ids.size(); begin += width) {
        const auto first = ids.begin() + static_cast<std::ptrdiff_t>(begin);
        const auto count = static_cast<std::ptrdiff_t>(std::min(width, ids.size() - begin));
        std::vector<int32_t>& sequence = result.emplace_back(1, tokenizer->cls_id());
        sequence.insert(sequence.end(), first, first + count);
        sequence.push_back(tokenizer->sep_id());
      }
    }
    return result;
  }

  // Sequence i is masked by substream i. DataError if there is nothing to mask.
  std::vector<LabeledBatch> masked_batches(Texts texts, RandomStream masks) const {
    std::vector<LabeledBatch> batches(1);
    uint64_t number = 0;
    for (const std::vector<int32_t>& sequence : sequences(texts)) {
      if (batches.back().batch.tokens() > 0 &&
          batches.back().batch.tokens() + std::ssize(sequence) > options.max_batch_tokens) {
        batches.emplace_back();
      }
      batches.back().append(labeling->label(sequence, substream(masks, number++)));
    }
    if (count_labels(batches) == 0) throw DataError("the {} text(s) have no token that could be masked", texts.size());
    return batches;
  }

  double train_step(Texts texts, std::stop_token stop) {
    const int64_t number = steps + 1;
    LabeledBatches batches(model, masked_batches(texts, substream(random(1), static_cast<uint64_t>(number))));
    const double loss =
        update.run(number, batches, {.on_failure = "the model is as it was", .stop = std::move(stop)}).loss;
    steps = number;
    return loss;
  }

  MaskedLanguageOptions options;
  Engine engine;
  LoadNotes notes;
  std::unique_ptr<Tokenizer> tokenizer;
  std::unique_ptr<Labeler> labeling;
  Model model;
  TrainingStep update;
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

double MaskedLanguageTrainer::step(Texts texts, std::stop_token stop) {
  return implementation_->train_step(texts, std::move(stop));
}

int64_t MaskedLanguageTrainer::steps() const { return implementation_->steps; }
const std::vector<std::string>& MaskedLanguageTrainer::ignored_settings() const {
  return implementation_->notes.unknown_keys;
}
const std::vector<std::string>& MaskedLanguageTrainer::warnings() const { return implementation_->notes.warnings; }

MaskedLanguageScore MaskedLanguageTrainer::validate(Texts texts, std::stop_token stop) const {
  const Implementation& my = *implementation_;
  const Context context{.backend = *my.engine.backend, .stop = std::move(stop)};
  LossTotal total;
  for (const LabeledBatch& batch : my.masked_batches(texts, my.random(3))) {
    total.add(language_loss(context, my.model, batch, 0).read(), std::ssize(batch.labels));
  }
  const Evaluation mean = total.mean();
  return {.loss = mean.loss, .accuracy = mean.accuracy.value_or(0), .masked = mean.labels};
}

void MaskedLanguageTrainer::save(const std::string& directory) const {
  save_model(implementation_->model, implementation_->tokenizer->files(), directory);
}

}  // namespace roformer
