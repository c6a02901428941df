#include "training/pretrain.h"

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "formats/directory_weights.h"
#include "text/tokenizer.h"
#include "training/continuation.h"
#include "training/language_objective.h"
#include "training/run_settings.h"
#include "training/stages.h"
#include "training/unigram_baseline.h"
#include "training/work_estimate.h"

namespace roformer {

namespace {

LanguageOptions language_options(const Stage& stage, int64_t number, const Tokenizer& tokenizer,
                                 const PackedSequences& validation) {
  const bool causal = stage.options.objective == "clm";
  return {.sequences_per_micro_batch = stage.plan.sequences_per_micro_batch(),
          .accumulate = stage.options.accumulate,
          .perplexity = causal,
          .stage = number,
          .characters = causal ? count_characters(tokenizer, validation) : 0};
}

// Of the order of the text and its labels, in a run with this stream.
RandomStream data_random(RandomStream random) { return substream(random, 1); }

// Of the order of the text of a stage.
RandomStream order_random(RandomStream random, uint64_t stage) {
  return stage == 0 ? substream(data_random(random), 0) : substream(substream(random, 3), stage);
}

void describe_text(const Stage& stage, const LanguageObjective& objective, bool resumed) {
  const Corpus& corpus = stage.corpora->training();
  const int64_t validated = objective.validation_sequences();
  std::string text = fmt::format("{}, {:.1f} MB; {}. {} parameters, {} positions.",
                                 counted(corpus.documents(), "document"), static_cast<double>(corpus.bytes()) / 1e6,
                                 validated == 0 ? "no validation" : counted(validated, "validation sequence"),
                                 stage.plan.config.parameters(), position_name(stage.plan.config.position));
  if (!resumed && validated > 0) {
    text += fmt::format(" Unigram baseline of the validation loss: {:.3f}", objective.unigram_loss());
  }
  stage.options.messages.write(text + "\n");
}

void describe_steps(const Stage& stage, const std::string& name) {
  const Schedule& schedule = stage.schedule;
  const int64_t accumulated = stage.options.accumulate, sequences = stage.plan.sequences_per_micro_batch();
  stage.options.messages.write(
      fmt::format("{}{} of {}{} of {} tokens; learning rate up to {:g}, {} of warm-up, {} schedule\n", name,
                  counted(stage.steps(), "step"), accumulated == 1 ? "" : fmt::format("{} × ", accumulated),
                  counted(sequences, "sequence"), stage.plan.max_length, schedule.learning_rate,
                  counted(schedule.warmup, "step"), schedule_name(schedule.kind)));
}

void write_lines(const Progress::Output& messages, const std::vector<std::string>& lines) {
  for (const std::string& line : lines) messages.write(line + "\n");
}

// Sets the weights before the first step and returns warnings about those of init_from.
std::vector<std::string> set_first_weights(Model& model, const PretrainPlan& plan, RandomStream random) {
  if (plan.start) return start_weights(model, *plan.start, random);
  model.initialize(random);
  return {};
}

std::optional<BestOptions> best_options(const PretrainOptions& options) {
  if (options.best == "none") return std::nullopt;
  return BestOptions{.metric = options.best, .higher = options.best == "accuracy", .patience = options.patience};
}

// What the stages of a run have in common.
struct StagedRun {
  const Tokenizer& tokenizer;
  Backend& backend;
  RandomStream random;
  std::vector<Stage> stages;

  double operations() const {
    double sum = 0;
    for (const Stage& stage : stages) sum += training_operations(stage.options, stage.plan, stage.steps());
    return sum;
  }
  // The stage of the step after `done`; the last one if that was the last step.
  size_t stage_after(int64_t done) const {
    size_t i = 0;
    while (i + 1 < stages.size() && stages[i].schedule.steps <= done) ++i;
    return i;
  }
  TrainingText read_text(size_t i) const {
    return read_training_text(stages[i].options, *stages[i].corpora, tokenizer, order_random(random, i),
                              backend.pool());
  }
  // `first` of this process: says what text it is.
  TrainingResult train_stage(size_t i, Model& model, TrainingText text, bool first, const std::string& notice,
                             RunDirectory& directory) const;
};

TrainingResult StagedRun::train_stage(size_t i, Model& model, TrainingText text, bool first, const std::string& notice,
                                      RunDirectory& directory) const {
  const Stage& stage = stages[i];
  const PretrainOptions& options = stage.options;
  const Corpus& corpus = stage.corpora->training();
  const auto number = static_cast<int64_t>(i);
  const bool alone = stages.size() == 1, new_text = first || !stage.corpora->same_text(*stages[i - 1].corpora);
  if (options.undivided && new_text && corpus.undivided()) options.undivided(*corpus.undivided());
  const LanguageOptions language = language_options(stage, number, tokenizer, text.held_out.sequences);
  LanguageObjective objective(model, make_labeler(options, tokenizer, model.config().vocabulary), language,
                              std::move(text.stream), std::move(text.held_out.sequences), data_random(random));
  if (objective.validation_sequences() > 0) write_unigram_loss(objective.unigram_loss(), directory.path());
  if (new_text) describe_text(stage, objective, directory.resumed_step() > stage.schedule.begin);
  describe_steps(stage, alone ? "" : fmt::format("stage {} of {}: ", i + 1, stages.size()));
  if (!notice.empty()) options.messages.write(notice + "\n");
  text.held_out.blocks.clear();  // the stream holds those it needs
  return train(model, objective,
               {.schedule = stage.schedule,
                .optimizer = options.optimizer,
                .step = options.step,
                .base_model = options.init_from,
                .intervals = options.intervals,
                .random = substream(random, 2),
                .stage = alone ? 0 : number + 1,
                .validate_first = !options.init_from.empty(),
                .best = best_options(options),
                .output = options.messages,
                .stop_token = options.stop_token,
                .cpu_speed = options.cpu_speed,
                .times = options.times},
               directory);
}

}  // namespace

RandomStream validation_masks(int64_t seed) {
  return LanguageObjective::validation_random(data_random({static_cast<uint64_t>(seed), 0}));
}

std::unique_ptr<Labeler> make_labeler(const PretrainOptions& options, const Tokenizer& tokenizer, int64_t rows) {
  if (options.objective == "clm") return causal_labeler(tokenizer, rows);
  return masked_labeler(
      tokenizer,
      {.probability = options.mask_probability.value_or(kMaskProbability), .whole_words = options.whole_word}, rows);
}

PretrainResult pretrain(const PretrainOptions& options, Backend& backend) {
  return pretrain(std::span(&options, 1), backend);
}

PretrainResult pretrain(std::span<const PretrainOptions> stage_options, Backend& backend) {
  const PretrainOptions& options = stage_options.front();
  check_settings(options);
  if (stage_options.size() > 1 && options.best != "none") {
    throw UsageError("{} is {}: validations of different stages cannot be compared, expected none", FieldName("best"),
                     options.best);
  }
  if (options.output.empty()) throw UsageError("{} is empty, expected a directory", FieldName("output"));
  const std::string tokenizer_directory =
      options.tokenizer.empty() && !options.init_from.empty() ? model_directory(options.init_from) : options.tokenizer;
  if (tokenizer_directory.empty())
    throw UsageError("{} is empty, expected a directory (train-tokenizer makes one)", FieldName("tokenizer"));
  const auto tokenizer = load_tokenizer(tokenizer_directory);
  StagedRun run{.tokenizer = *tokenizer,
                .backend = backend,
                .random = {static_cast<uint64_t>(options.seed), 0},
                .stages = plan_stages(stage_options, *tokenizer)};
  const PretrainPlan& plan = run.stages.front().plan;  // the model is the same in all
  const auto warn = [&](const std::vector<std::string>& warnings) {
    if (options.warned) std::ranges::for_each(warnings, options.warned);
  };
  warn(plan.warnings);
  tokenizer->set_model_max_length(longest_sequence(stage_options));

  TrainingText first_text = run.read_text(0);
  if (options.best != "none" && first_text.held_out.sequences.size() == 0) {
    throw UsageError("{} is {}, but nothing is validated: {} is 0", FieldName("best"), options.best,
                     FieldName("validation_fraction"));
  }
  set_schedules(run.stages, options.schedule.epochs ? first_text.stream->count_sequences() : 0);
  auto files = tokenizer->files();
  const Json settings = settings_of(run.stages, backend.precision(), hash_files(files));
  files.merge(companion_files(options));
  files["config.json"] = write_config(plan.config).dump(2) + "\n";

  // The model is created first, so that a failed allocation leaves no directory behind.
  Model model(backend, plan.config, true);
  const std::vector<std::string> of_weights = set_first_weights(model, plan, substream(run.random, 0));
  freeze(model, options.step);  // says here what does not fit
  if (options.confirm && !exists(join_path(options.output, "training/settings.json"))) {
    options.confirm(estimated_seconds(run.operations(), backend.pool().threads()));
  }
  std::string notice;
  const auto open = [&] {
    return std::make_unique<RunDirectory>(
        options.output, settings, files, [&](const JsonObject& started, const Json& now, int64_t step) {
          if (run.stages.size() > 1 || in_stages(started)) return continue_stages(options.output, started, now);
          Continuation continued = continue_run(options.output, options.schedule, started, now, step);
          run.stages.front().schedule = continued.schedule;
          notice = continued.notice;
          return continued.settings;
        });
  };
  std::unique_ptr<RunDirectory> directory = open();
  const int64_t done = directory->resumed_step();
  PretrainResult result{.already_finished = directory->finished(run.stages.back().schedule.steps),
                        .training = {.steps = done,
                                     .tokens = directory->state().tokens,
                                     .validation = {},
                                     .best = directory->state().best.best},
                        .parameters = plan.config.parameters()};
  if (options.accepted) options.accepted(result.already_finished);
  if (result.already_finished) return result;

  if (done == 0) {
    if (plan.start) write_lines(options.messages, plan.start->repositioning.notices);
    warn(of_weights);
  }
  const size_t first = run.stage_after(done);
  for (size_t i = first; i < run.stages.size(); ++i) {
    if (i > first) {  // goes on from what the stage before has saved, as after an interruption
      directory.reset();
      directory = open();
    }
    result.training =
        run.train_stage(i, model, i == 0 ? std::move(first_text) : run.read_text(i), i == first, notice, *directory);
  }
  return result;
}

}  // namespace roformer
