#include "training/pretrain_plan.h"

#include <algorithm>
#include <string>
#include <utility>
#include <variant>

#include "base/error.h"
#include "base/inapplicable_error.h"
#include "models/families/family.h"

namespace roformer {

namespace {

// The model to start from; none: a new one.
std::optional<FoundModel> find_start(const PretrainOptions& options) {
  if (options.init_from.empty()) return std::nullopt;
  if (options.shape.any() || !options.config.empty()) {
    throw UsageError("{} takes the model's shape from {}; leave out the shape options", FieldName("init_from"),
                     options.init_from);
  }
  FoundModel found = find_model(options.init_from);
  found.config.pooler = false;  // a language model has no use for it
  found.config.missing_head.clear();
  return found;
}

ModelConfig shape_of(const PretrainOptions& options, const std::optional<FoundModel>& start) {
  if (start) return options.shape.apply(start->config);
  return options.shape.apply(options.config.empty() ? preset_config(options.shape.preset)
                                                    : read_config(options.config));
}

// Adapts the config to the objective; complete() derives the rest (one-sided distance buckets).
void set_objective(ModelConfig& config, const PretrainOptions& options) {
  if (options.objective == "mlm") {
    if (config.attention_mask != AttentionMask::bidirectional) {
      throw UsageError("the model's config.json has {}: {} mlm needs bidirectional attention",
                       config.family->causal_setting, FieldName("objective"));
    }
    config.head = Head::masked_lm;
    return;
  }
  if (config.cross_attention) {
    throw UsageError("the model's config.json has {}: {} clm has no other text to attend to",
                     KeyName("add_cross_attention"), FieldName("objective"));
  }
  config.head = Head::causal_lm;
  config.attention_mask = AttentionMask::causal;
}

// Sets the values that a preset's config takes from tokenizer and options.
void fit_config(ModelConfig& config, const PretrainOptions& options, const Tokenizer& tokenizer, int64_t max_length) {
  config.vocabulary = tokenizer.vocabulary_size();
  if (!options.shape.position_options.max_positions) config.max_positions = std::max(config.max_positions, max_length);
  config.pad_id = tokenizer.pad_id();
  config.linear.favor_seed = options.seed;
}

void check_positions(const ModelConfig& config, int64_t max_length) {
  const auto* learned = std::get_if<LearnedPosition>(&config.position);
  if (learned == nullptr && !std::holds_alternative<TupePosition>(config.position)) return;
  const int64_t rows = config.max_positions;
  const int64_t positions = learned != nullptr && learned->hierarchical ? rows * rows : rows;
  if (positions < max_length) {
    throw UsageError("{} {} is longer than the model's {} learned positions", FieldName("max_length"), max_length,
                     positions);
  }
}

void check_together(const PretrainOptions& options, const PretrainPlan& plan) {
  if (plan.batch_tokens < plan.max_length) {
    throw UsageError("{} {} holds no sequence of {} {}", FieldName("batch_tokens"), plan.batch_tokens,
                     FieldName("max_length"), plan.max_length);
  }
  if (options.schedule.steps && options.schedule.epochs)
    throw InapplicableError("use either {} or {}", FieldName("steps"), FieldName("epochs"));
  if (options.validation_fraction && !options.validation_data.empty()) {
    throw InapplicableError("use either {} or {}", FieldName("validation_data"), FieldName("validation_fraction"));
  }
}

}  // namespace

RunDefaults preset_run(const std::string& name) {
  if (name == "demo") return {128, 4096, 400, 1e-3};
  if (name == "paper-mlm") return {512, 64 * 512, 100000, 1e-5};           // paper.md 2.2
  if (name == "paper-performer") return {1024, 128 * 1024, 100000, 1e-4};  // paper.md 2.4
  return {512, 8192, 100000, 1e-4};
}

PretrainPlan make_plan(const PretrainOptions& options, const Tokenizer& tokenizer) {
  const RunDefaults defaults = preset_run(options.shape.preset);
  std::optional<FoundModel> start = find_start(options);
  PretrainPlan plan{.config = shape_of(options, start),
                    .max_length = options.max_length.value_or(defaults.max_length),
                    .batch_tokens = options.batch_tokens.value_or(defaults.batch_tokens),
                    .preset = {.learning_rate = defaults.learning_rate, .steps = defaults.steps},
                    .start = std::move(start)};
  ModelConfig& config = plan.config;
  if (options.config.empty() && !plan.start) {
    fit_config(config, options, tokenizer, plan.max_length);
  } else if (config.vocabulary < tokenizer.vocabulary_size()) {
    throw UsageError("the tokenizer has {} tokens, the model's vocabulary only {}", tokenizer.vocabulary_size(),
                     config.vocabulary);
  }
  check_positions(config, plan.max_length);
  set_objective(config, options);
  if (plan.start) untie_if_different(config, *plan.start);
  complete(config, "");
  check_together(options, plan);
  return plan;
}

}  // namespace roformer
