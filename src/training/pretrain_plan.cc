#include "training/pretrain_plan.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <variant>

#include "base/error.h"
#include "base/inapplicable_error.h"
#include "formats/directory_weights.h"
#include "models/families/family.h"
#include "text/token_rows.h"

namespace roformer {

namespace {

void set_shape(const PretrainOptions& options, int64_t longest, PretrainPlan& plan) {
  if (!options.init_from.empty()) {
    plan.start = find_start(options);
    plan.warnings = plan.start->model.notes.warnings;
    plan.config = config_to_train(*plan.start, options, longest);
    return;
  }
  plan.config = options.config.empty() ? preset_config(options.shape.preset)
                                       : read_config_to_train(options.config, plan.warnings);
  plan.config = options.shape.apply(plan.config);
}

// A model's weights belong to the tokens that its own tokenizer has: `tokenizer` may have fewer of them, or more.
void check_same_tokens(const PretrainOptions& options, const Tokenizer& tokenizer) {
  if (options.init_from.empty() || options.tokenizer.empty()) return;
  const std::string directory = model_directory(options.init_from);
  std::unique_ptr<Tokenizer> own;
  try {
    own = load_tokenizer(directory);
  } catch (const Error& error) {
    options.messages.write(fmt::format("not compared with the tokenizer of {}: {}\n", options.init_from, error.what()));
    return;
  }
  for (int32_t id = 0; id < std::min(own->vocabulary_size(), tokenizer.vocabulary_size()); ++id) {
    if (own->token(id) == tokenizer.token(id)) continue;
    throw UsageError(
        "{} {}: token {} is {}, but {} in the model {}, whose weights are of its own tokens; expected a "
        "tokenizer with these tokens, or no {}",
        FieldName("tokenizer"), options.tokenizer, id, quote(tokenizer.token(id)), quote(own->token(id)),
        options.init_from, FieldName("init_from"));
  }
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
void fit_config(ModelConfig& config, const PretrainOptions& options, const Tokenizer& tokenizer, int64_t longest) {
  config.vocabulary = tokenizer.vocabulary_size();
  if (!options.shape.position_options.max_positions) config.max_positions = std::max(config.max_positions, longest);
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
  if (options.schedule.steps == 0 && options.init_from.empty()) {
    throw UsageError("{} is 0, expected at least 1 without {}", FieldName("steps"), FieldName("init_from"));
  }
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

RunDefaults run_defaults(const PretrainOptions& options) {
  constexpr double kFurtherLearningRate = 5e-5;  // Devlin et al. 2019, A.3: up to it
  RunDefaults defaults = preset_run(options.shape.preset);
  if (!options.init_from.empty()) defaults.learning_rate = kFurtherLearningRate;
  return defaults;
}

void fill_defaults(PretrainOptions& options) {
  const auto [max_length, batch_tokens, steps, learning_rate] = run_defaults(options);
  const auto fill = [](auto& field, auto value) { field = field.value_or(value); };
  fill(options.max_length, max_length);
  fill(options.batch_tokens, batch_tokens);
  fill(options.schedule.learning_rate, learning_rate);
  if (options.objective == "mlm") fill(options.mask_probability, kMaskProbability);
  if (options.schedule.epochs) return;
  fill(options.schedule.steps, steps);
  options.schedule.warmup = static_cast<double>(options.schedule.warmup_steps(*options.schedule.steps));
}

PretrainPlan make_plan(const PretrainOptions& options, const Tokenizer& tokenizer, int64_t longest) {
  const RunDefaults defaults = run_defaults(options);
  PretrainPlan plan{.config = {},
                    .max_length = options.max_length.value_or(defaults.max_length),
                    .batch_tokens = options.batch_tokens.value_or(defaults.batch_tokens),
                    .preset = {.learning_rate = defaults.learning_rate, .steps = defaults.steps},
                    .warnings = {}};
  longest = std::max(longest, plan.max_length);
  set_shape(options, longest, plan);
  ModelConfig& config = plan.config;
  if (options.config.empty() && !plan.start) {
    fit_config(config, options, tokenizer, longest);
  } else if (config.vocabulary < tokenizer.vocabulary_size()) {
    if (!plan.start) {
      throw UsageError("the tokenizer has {} tokens, the model's vocabulary only {}", tokenizer.vocabulary_size(),
                       config.vocabulary);
    }
    plan.warnings.push_back(beyond_rows_warning(options.init_from, tokenizer, config.vocabulary));
  }
  check_same_tokens(options, tokenizer);
  check_positions(config, longest);
  set_objective(config, options);
  complete(config, "");
  if (plan.start) {
    take_config(*plan.start, config, longest);
    take_output_as_it_is(config, plan.start->model);
  }
  check_together(options, plan);
  return plan;
}

}  // namespace roformer
