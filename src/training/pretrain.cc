#include "training/pretrain.h"

#include <algorithm>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include <fmt/ranges.h>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "formats/directory_weights.h"
#include "formats/module_list.h"
#include "text/tokenizer.h"
#include "training/continuation.h"
#include "training/language_objective.h"
#include "training/pretrain_plan.h"
#include "training/run_settings.h"
#include "training/unigram_baseline.h"
#include "training/work_estimate.h"

namespace roformer {

namespace {

bool knows(const Tokenizer& tokenizer, std::span<const int32_t> ids) {
  return std::any_of(ids.begin(), ids.end(), [&](int32_t id) { return !tokenizer.is_special(id); });
}

bool knows(const Tokenizer& tokenizer, const PackedSequences& sequences) {
  for (int64_t i = 0; i < sequences.size(); ++i) {
    if (knows(tokenizer, sequences.sequence(i))) return true;
  }
  return false;
}

// A text of special tokens only, [UNK] among them, cannot be learned from.
[[noreturn]] void fail_unknown(const Tokenizer& tokenizer, const std::string& path) {
  throw DataError("{}: the tokenizer does not cover this text: all its tokens are {}", FilePath(path),
                  tokenizer.token(tokenizer.unk_id()));
}

constexpr double kValidationFraction = 0.02;
constexpr int64_t kMaxValidationSequences = 1000;  // unless a fraction is given, to bound validation time

// Validation data: separate files, or sequences held out of the training text, or none.
HeldOut read_validation(const PretrainOptions& options, const CorpusOptions& reading, const Corpus& corpus,
                        const Tokenizer& tokenizer, ThreadPool& pool, std::string& content_hash) {
  if (!options.validation_data.empty()) {
    const Corpus validation(options.validation_data, reading, tokenizer);
    content_hash = validation.content_hash();
    HeldOut result = hold_out_nothing(corpus);
    result.sequences = load_all(validation, pool);
    if (!knows(tokenizer, result.sequences)) fail_unknown(tokenizer, validation.name());
    return result;
  }
  if (options.validation_fraction == 0) return hold_out_nothing(corpus);
  const int64_t limit = options.validation_fraction ? std::numeric_limits<int64_t>::max() : kMaxValidationSequences;
  return hold_out(corpus, options.validation_fraction.value_or(kValidationFraction), limit,
                  SequenceStream::kWindowBlocks, pool);
}

// Training and validation text. Not movable, as the stream refers to the corpus.
struct TrainingText {
  TrainingText(const PretrainOptions& options, const PretrainPlan& plan, const Tokenizer& tokenizer,
               RandomStream random, ThreadPool& pool);
  TrainingText(const TrainingText&) = delete;
  TrainingText& operator=(const TrainingText&) = delete;

  CorpusOptions reading;
  Corpus corpus;
  std::string validation_hash;
  HeldOut held_out;
  std::unique_ptr<SequenceStream> stream;
};

TrainingText::TrainingText(const PretrainOptions& options, const PretrainPlan& plan, const Tokenizer& tokenizer,
                           RandomStream random, ThreadPool& pool)
    : reading{.rule = parse_document_rule(options.documents),
              .max_length = plan.max_length,
              .rows = plan.config.vocabulary,
              .stop_token = options.stop_token},
      corpus(options.data, reading, tokenizer),
      held_out(read_validation(options, reading, corpus, tokenizer, pool, validation_hash)),
      stream(std::make_unique<SequenceStream>(corpus, std::move(held_out.indices), random,
                                              static_cast<int>(options.reader_threads.value_or(pool.threads())))) {
  held_out.blocks.push_back(corpus.load(0, pool));
  const auto known = [&](const auto& ids) { return knows(tokenizer, ids); };
  if (!known(*held_out.blocks.back()) && std::ranges::none_of(stream->window(), known)) {
    fail_unknown(tokenizer, corpus.name());
  }
}

LanguageOptions language_options(const PretrainOptions& options, const PretrainPlan& plan, const Tokenizer& tokenizer,
                                 const PackedSequences& validation) {
  const bool causal = options.objective == "clm";
  return {.sequences_per_micro_batch = plan.sequences_per_micro_batch(),
          .accumulate = options.accumulate,
          .perplexity = causal,
          .characters = causal ? count_characters(tokenizer, validation) : 0};
}

// Resolved settings and everything else that affects the result. Threads, device, logging and snapshots do not.
Json resolved_settings(const PretrainOptions& options, const PretrainPlan& plan, const Schedule& schedule,
                       Precision precision, const TrainingText& text, const std::string& tokenizer_hash) {
  Json resolved = {
      {"dtype", precision_name(precision)},
      {"model", write_config(plan.config)},
      {"data", text.corpus.content_hash()},
      {"validation-data", text.validation_hash},
      // Not the default's value: given explicitly, the same fraction is not capped.
      {"validation-fraction", options.validation_fraction ? Json(*options.validation_fraction) : Json("default")},
      {"tokenizer", tokenizer_hash},
      {"init-from", options.init_from.empty() ? "" : WeightFiles(options.init_from).content_hash()},
      {"max-length", plan.max_length},
      {"batch-tokens", plan.batch_tokens},
      {"steps", schedule.steps},
      {"learning-rate", schedule.learning_rate},
      {"warmup", schedule.warmup}};
  if (options.objective == "mlm") {
    resolved["mask-probability"] = options.mask_probability.value_or(kMaskProbability);
  }
  // Null as in runs from before this setting existed. When validations are matters only here.
  resolved["best"] = options.best == "none" ? Json() : Json(options.best);
  if (options.best != "none") resolved["validate-every"] = options.intervals.validate_every;
  return resolved;
}

std::optional<BestOptions> best_options(const PretrainOptions& options) {
  if (options.best == "none") return std::nullopt;
  return BestOptions{.metric = options.best, .higher = options.best == "accuracy", .patience = options.patience};
}

// Sets the first weights and returns warnings about those of init_from.
std::vector<std::string> start_weights(Model& model, const PretrainPlan& plan, RandomStream random) {
  if (!plan.start) {
    model.initialize(random);
    return {};
  }
  const LoadingPlan loading(plan.config, plan.start->tensors, plan.start->source, LoadingPlan::Fit::trunk);
  std::vector<std::string> anew;
  for (const LoadingPlan::Missing& one : loading.missing_in_head()) anew.push_back(one.name);
  if (!anew.empty()) model.initialize(random);
  model.load_weights(loading);
  LoadNotes notes;
  note_unused(loading, notes);
  if (!anew.empty()) {
    notes.warnings.push_back(
        fmt::format("{} lacks parameters of the head, which start anew: {}", loading.source(), fmt::join(anew, ", ")));
  }
  return notes.warnings;
}

// Files of the model that is trained further which say how it is used.
std::map<std::string, std::string> companion_files(const PretrainOptions& options) {
  constexpr int64_t kMaxFileBytes = int64_t{1} << 24;
  if (options.init_from.empty()) return {};
  const std::string directory = model_directory(options.init_from);
  auto files = module_files(is_directory(options.init_from) ? options.init_from : directory);
  const std::string name = "generation_config.json", path = join_path(directory, name);
  if (exists(path)) files[name] = read_file(path, kMaxFileBytes);
  return files;
}

// Of the order of the text and its labels, in a run with this stream.
RandomStream data_random(RandomStream random) { return substream(random, 1); }

// Says what a run does, in two messages.
void describe(const PretrainOptions& options, const PretrainPlan& plan, const Schedule& schedule, const Corpus& corpus,
              const LanguageObjective& objective, bool resumed) {
  const int64_t validated = objective.validation_sequences();
  std::string text = fmt::format("{}, {:.1f} MB; {}. {} parameters, {} positions.",
                                 counted(corpus.documents(), "document"), static_cast<double>(corpus.bytes()) / 1e6,
                                 validated == 0 ? "no validation" : counted(validated, "validation sequence"),
                                 plan.config.parameters(), position_name(plan.config.position));
  if (!resumed && validated > 0) {
    text += fmt::format(" Unigram baseline of the validation loss: {:.3f}", objective.unigram_loss());
  }
  options.messages.write(text + "\n");
  const int64_t sequences = plan.sequences_per_micro_batch();
  options.messages.write(fmt::format("{} of {}{} of {} tokens; learning rate up to {:g}, {} of warm-up, {} schedule\n",
                                     counted(schedule.steps, "step"),
                                     options.accumulate == 1 ? "" : fmt::format("{} × ", options.accumulate),
                                     counted(sequences, "sequence"), plan.max_length, schedule.learning_rate,
                                     counted(schedule.warmup, "step"), schedule_name(schedule.kind)));
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
  check_settings(options);
  if (options.output.empty()) throw UsageError("{} is empty, expected a directory", FieldName("output"));
  const std::string tokenizer_directory =
      options.tokenizer.empty() && !options.init_from.empty() ? model_directory(options.init_from) : options.tokenizer;
  if (tokenizer_directory.empty())
    throw UsageError("{} is empty, expected a directory (train-tokenizer makes one)", FieldName("tokenizer"));
  const auto tokenizer = load_tokenizer(tokenizer_directory);
  const PretrainPlan plan = make_plan(options, *tokenizer);
  const auto warn = [&](const std::vector<std::string>& warnings) {
    if (options.warned) std::ranges::for_each(warnings, options.warned);
  };
  warn(plan.warnings);
  tokenizer->set_model_max_length(plan.max_length);

  const RandomStream random{static_cast<uint64_t>(options.seed), 0};
  TrainingText text(options, plan, *tokenizer, substream(data_random(random), 0), backend.pool());
  PackedSequences& validation = text.held_out.sequences;
  if (options.best != "none" && validation.size() == 0) {
    throw UsageError("{} is {}, but nothing is validated: {} is 0", FieldName("best"), options.best,
                     FieldName("validation_fraction"));
  }
  const LanguageOptions language = language_options(options, plan, *tokenizer, validation);
  const int64_t sequences = options.schedule.epochs ? text.stream->count_sequences() : 0;
  Schedule schedule =
      make_schedule(options.schedule, plan.preset, sequences, language.sequences_per_micro_batch * language.accumulate);
  auto files = tokenizer->files();
  const Json settings =
      run_settings(setting_values(options),
                   resolved_settings(options, plan, schedule, backend.precision(), text, hash_files(files)));
  files.merge(companion_files(options));
  files["config.json"] = write_config(plan.config).dump(2) + "\n";

  // The model is created first, so that a failed allocation leaves no directory behind.
  Model model(backend, plan.config, true);
  const std::vector<std::string> of_weights = start_weights(model, plan, substream(random, 0));
  freeze(model, options.step);  // says here what does not fit
  if (options.confirm && !exists(join_path(options.output, "training/settings.json"))) {
    options.confirm(estimated_seconds(training_operations(options, plan, schedule.steps), backend.pool().threads()));
  }
  std::string notice;
  RunDirectory directory(options.output, settings, files,
                         [&](const JsonObject& started, const Json& now, int64_t step) {
                           Continuation run = continue_run(options.output, options.schedule, started, now, step);
                           schedule = run.schedule;
                           notice = run.notice;
                           return run.settings;
                         });
  const bool ended = directory.resumed_step() >= schedule.steps || directory.state().finished_early;
  PretrainResult result{.already_finished = directory.has_snapshot() && ended,
                        .training = {.steps = directory.resumed_step(),
                                     .tokens = directory.state().tokens,
                                     .validation = {},
                                     .best = directory.state().best.best},
                        .parameters = plan.config.parameters()};
  if (options.accepted) options.accepted(result.already_finished);
  if (result.already_finished) return result;
  if (options.undivided && text.corpus.undivided()) options.undivided(*text.corpus.undivided());

  if (directory.resumed_step() == 0) warn(of_weights);
  LanguageObjective objective(model, make_labeler(options, *tokenizer, plan.config.vocabulary), language,
                              std::move(text.stream), std::move(validation), data_random(random));
  if (objective.validation_sequences() > 0) write_unigram_loss(objective.unigram_loss(), directory.path());
  describe(options, plan, schedule, text.corpus, objective, directory.resumed_step() > 0);
  if (!notice.empty()) options.messages.write(notice + "\n");
  text.held_out.blocks.clear();  // the stream holds those it needs
  result.training = train(model, objective,
                          {.schedule = schedule,
                           .optimizer = options.optimizer,
                           .step = options.step,
                           .base_model = options.init_from,
                           .intervals = options.intervals,
                           .random = substream(random, 2),
                           .validate_first = !options.init_from.empty(),
                           .best = best_options(options),
                           .output = options.messages,
                           .stop_token = options.stop_token,
                           .cpu_speed = options.cpu_speed,
                           .times = options.times},
                          directory);
  return result;
}

}  // namespace roformer
