#include "tasks/translation/train_translator.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "formats/directory_weights.h"
#include "generation/translator.h"
#include "tasks/translation/translation_data.h"
#include "tasks/translation/translation_objective.h"
#include "tasks/translation/translation_validation.h"
#include "training/continuation.h"
#include "training/run_settings.h"
#include "training/work_estimate.h"

namespace roformer {

namespace {

constexpr double kContinuedEpochs = 3;
constexpr double kContinuedRate = 1e-4;       // of a model that is trained already
constexpr int64_t kMostBetween = 1000;        // steps between validations, unless options say so
constexpr int64_t kLongestTranslation = 512;  // tokens with the start, as in Marian's models
constexpr double kMostWarmup = 0.1;           // of a run

// The options with what the preset and the text decide.
struct TranslatorPlan {
  int64_t batch_tokens = 0;
  ScheduleOptions schedule;
  int64_t average = 1, validate_every = 1, save_every = 1;
};

// Of a run of so many epochs: the preset's, or fewer for a short one, so that it has steps enough to learn in.
int64_t usual_batch_tokens(const TranslatorPreset& preset, const PairSequences& training,
                           std::optional<double> epochs) {
  if (!epochs || preset.least_steps == 0) return preset.batch_tokens;
  const auto tokens = static_cast<double>(std::max(training.source.tokens(), training.target.tokens())) * *epochs;
  const auto enough = static_cast<int64_t>(tokens / static_cast<double>(preset.least_steps));
  return std::clamp(enough, preset.batch_tokens / 4, preset.batch_tokens);
}

TranslatorPlan make_translator_plan(const TrainTranslatorOptions& options, const PairSequences& training,
                                    RandomStream order) {
  const TranslatorPreset& preset = translator_preset(options.shape.preset);
  TranslatorPlan plan;
  const auto steps_of = [&](double epochs) {
    const int64_t batches = TranslationObjective::count_batches(training, plan.batch_tokens, order, epochs);
    return (batches + options.accumulate - 1) / options.accumulate;
  };
  std::optional<double> epochs = options.epochs;
  if (options.steps && epochs)
    throw UsageError("{} and {}: expected one of them", FieldName("steps"), FieldName("epochs"));
  if (!options.steps && !epochs && !options.init_from.empty()) epochs = kContinuedEpochs;
  if (!options.steps && !epochs && preset.epochs > 0) epochs = preset.epochs;
  plan.batch_tokens = options.batch_tokens.value_or(usual_batch_tokens(preset, training, epochs));
  const int64_t steps = epochs ? steps_of(*epochs) : options.steps.value_or(preset.steps);
  const double rate = options.init_from.empty() ? preset.learning_rate : kContinuedRate;
  const bool brief = static_cast<double>(preset.warmup) > kMostWarmup * static_cast<double>(steps);
  plan.schedule = {.steps = steps,
                   .epochs = {},
                   .learning_rate = options.learning_rate.value_or(rate),
                   .warmup = options.warmup.value_or(brief ? kMostWarmup : static_cast<double>(preset.warmup)),
                   .kind = options.schedule.value_or(preset.schedule),
                   .extend = options.extend};
  parse_schedule(plan.schedule.kind);
  plan.average = options.average.value_or(options.step.ema_decay ? 1 : preset.average);
  plan.validate_every = options.validate_every.value_or(std::min(kMostBetween, steps_of(1)));
  plan.save_every = options.save_every.value_or(plan.validate_every);
  if (plan.average > 1 && options.step.ema_decay) {
    throw UsageError("{} is {} beside {}: expected one kind of average", FieldName("average"), plan.average,
                     FieldName("ema_decay"));
  }
  return plan;
}

TranslatorVocabulary vocabulary_of(const TranslationTokenizers& tokenizers) {
  const Tokenizer &source = *tokenizers.source, &target = *tokenizers.target;
  if (source.pad_id() != target.pad_id() || source.sep_id() != target.sep_id()) {
    throw DataError("the tokenizers have different ids for the padding or the end: {} and {}, {} and {}",
                    source.pad_id(), target.pad_id(), source.sep_id(), target.sep_id());
  }
  return {.source = source.vocabulary_size(),
          .target = target.vocabulary_size(),
          .shared = tokenizers.shared,
          .pad_id = target.pad_id(),
          .end_id = target.sep_id()};
}

Json translator_settings(const TrainTranslatorOptions& options, const TranslatorPlan& plan, const ModelConfig& config,
                         const Schedule& schedule, const TranslationData& data, Precision precision,
                         const std::string& tokenizer_hash) {
  Json settings = {{"dtype", precision_name(precision)},
                   {"config", write_config(config)},
                   {"dropout", {config.hidden_dropout, config.attention_dropout}},
                   {"tokenizer", tokenizer_hash},
                   {"batch-tokens", plan.batch_tokens},
                   {"steps", schedule.steps},
                   {"learning-rate", schedule.learning_rate},
                   {"warmup", schedule.warmup},
                   {"schedule", schedule_name(schedule.kind)},
                   {"average", plan.average},
                   {"validate-every", plan.validate_every},
                   {"save-every", plan.average > 1 ? Json(plan.save_every) : Json("any")},
                   {"vocab-size", options.vocab_size ? Json(*options.vocab_size) : Json("default")},
                   {"init-from", options.init_from.empty() ? "" : WeightFiles(options.init_from).content_hash()},
                   {"validation-source", ""},
                   {"validation-target", ""}};
  settings.update(data.hashes);
  return settings;
}

// The model to train, with its first weights.
struct FirstModel {
  ModelConfig config;
  std::unique_ptr<Model> model;
  std::vector<std::string> warnings = {};
};

FirstModel new_model(const TrainTranslatorOptions& options, const TranslatorVocabulary& vocabulary, Backend& backend,
                     RandomStream random) {
  FirstModel first{
      .config = translator_config(options.shape, vocabulary, std::max(options.max_length, kLongestTranslation)),
      .model = {}};
  first.model = std::make_unique<Model>(backend, first.config, true);
  first.model->initialize(random);
  return first;
}

FirstModel continued_model(const TrainTranslatorOptions& options, const TranslatorVocabulary& vocabulary,
                           Backend& backend) {
  TranslatorShape untouched;
  untouched.preset = options.shape.preset;
  untouched.dropout = options.shape.dropout;
  const SettingValues given = setting_values(options.shape), usual = setting_values(untouched);
  for (size_t i = 0; i < given.entries().size(); ++i) {
    if (given.entries()[i].value == usual.entries()[i].value) continue;
    throw UsageError("{} takes the model's shape from {}, except for dropout; leave out {}", FieldName("init_from"),
                     options.init_from, FieldName(given.entries()[i].name));
  }
  PlannedModel planned = plan_model(options.init_from);
  if (planned.config.encoder == nullptr) {
    throw DataError("{}: is no encoder-decoder, expected a translator", FilePath(options.init_from));
  }
  if (planned.config.vocabulary < vocabulary.target || planned.config.encoder->vocabulary < vocabulary.source) {
    throw DataError("{}: the tokenizers have {} and {} tokens, the model {} and {}", FilePath(options.init_from),
                    vocabulary.source, vocabulary.target, planned.config.encoder->vocabulary,
                    planned.config.vocabulary);
  }
  if (options.shape.dropout) {
    ModelConfig encoder = *planned.config.encoder;
    encoder.hidden_dropout = planned.config.hidden_dropout = *options.shape.dropout;
    planned.config.encoder = std::make_shared<const ModelConfig>(std::move(encoder));
  }
  FirstModel first{.config = planned.config, .model = {}, .warnings = planned.notes.warnings};
  first.model = std::make_unique<Model>(backend, planned.config, planned.plan, true);
  return first;
}

void describe_run(const TrainTranslatorOptions& options, const TranslationData& data, const TranslatorPlan& plan,
                  const ModelConfig& config, const Schedule& schedule) {
  for (const std::string& notice : data.notices) options.messages.write(notice + "\n");
  options.messages.write(fmt::format(
      "{} parameters, {} positions; {} of {}{} tokens; learning rate up to {:g}, {} of warm-up, {} schedule\n",
      config.parameters(), position_name(config.position), counted(schedule.steps, "step"),
      options.accumulate == 1 ? "" : fmt::format("{} × ", options.accumulate), plan.batch_tokens,
      schedule.learning_rate, counted(schedule.warmup, "step"), schedule_name(schedule.kind)));
}

}  // namespace

const std::vector<std::string>& translation_metric_names() {
  static const std::vector<std::string> names{"bleu", "chrf", "loss"};
  return names;
}

TrainTranslatorResult train_translator(const TrainTranslatorOptions& options, Backend& backend) {
  check_settings(options);
  if (options.output.empty()) throw UsageError("{} is empty, expected a directory", FieldName("output"));
  TranslationData data = read_translation_data(options, backend.pool());
  const RandomStream random{static_cast<uint64_t>(options.seed), 0}, order = substream(random, 1);
  const TranslatorPlan plan = make_translator_plan(options, data.training, order);
  Schedule schedule = make_schedule(plan.schedule, {}, 0, 1);

  const TranslatorVocabulary vocabulary = vocabulary_of(data.tokenizers);
  FirstModel first = options.init_from.empty() ? new_model(options, vocabulary, backend, substream(random, 0))
                                               : continued_model(options, vocabulary, backend);
  freeze(*first.model, options.step);  // says here what does not fit
  auto files = data.tokenizers.source->files();
  const Json settings = run_settings(
      setting_values(options),
      translator_settings(options, plan, first.config, schedule, data, backend.precision(), hash_files(files)));
  files["config.json"] = write_config(first.config).dump(2) + "\n";
  files["generation_config.json"] = generation_config(
      first.config, {.longest = kLongestTranslation - 1, .banned = {static_cast<int32_t>(first.config.pad_id)}});

  const int64_t parameters = first.config.parameters();
  if (options.confirm && !exists(join_path(options.output, "training/settings.json"))) {
    const double tokens =
        static_cast<double>(plan.batch_tokens * options.accumulate) * static_cast<double>(schedule.steps);
    options.confirm(estimated_seconds(6 * static_cast<double>(parameters) * tokens, backend.pool().threads()));
  }
  RunDirectory directory(options.output, settings, files,
                         [&](const JsonObject& started, const Json& now, int64_t step) {
                           Continuation run = continue_run(options.output, plan.schedule, started, now, step);
                           schedule = run.schedule;
                           return run.settings;
                         });
  TrainTranslatorResult result{.already_finished = directory.finished(schedule.steps),
                               .training = {.steps = directory.resumed_step(),
                                            .tokens = directory.state().tokens,
                                            .validation = {},
                                            .best = directory.state().best.best},
                               .parameters = parameters};
  if (options.accepted) options.accepted(result.already_finished);
  if (result.already_finished) return result;

  for (const auto* warnings : {&data.warnings, &first.warnings}) {
    if (options.warned && directory.resumed_step() == 0) std::ranges::for_each(*warnings, options.warned);
  }
  describe_run(options, data, plan, first.config, schedule);
  const TranslationValidation validation(*first.model, data,
                                         {.beams = options.validation_beam,
                                          .samples = options.samples,
                                          .directory = options.output,
                                          .messages = options.messages,
                                          .stop_token = options.stop_token});
  const bool validates = data.validation.size() > 0;
  TranslationObjective objective(
      *first.model, std::move(data.training), data.validation,
      {.batch_tokens = plan.batch_tokens, .accumulate = options.accumulate, .label_smoothing = options.label_smoothing},
      [&](Evaluation& evaluation) { validation.measure(evaluation); }, order);
  std::optional<BestOptions> best;
  if (validates) {
    best = {.metric = options.metric, .higher = options.metric != "loss", .patience = options.patience};
  }
  result.training = train(*first.model, objective,
                          {.schedule = schedule,
                           .optimizer = options.optimizer,
                           .step = options.step,
                           .base_model = options.init_from,
                           .intervals = {.validate_every = plan.validate_every,
                                         .save_every = plan.save_every,
                                         .log_every = options.log_every,
                                         .keep = options.keep},
                           .random = substream(random, 2),
                           .best = best,
                           .average_snapshots = plan.average,
                           .output = options.messages,
                           .stop_token = options.stop_token,
                           .times = options.times},
                          directory);
  return result;
}

}  // namespace roformer
