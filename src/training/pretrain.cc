#include "training/pretrain.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include <fmt/ranges.h>

#include "base/error.h"
#include "base/file.h"
#include "formats/directory_weights.h"
#include "text/tokenizer.h"
#include "training/language_objective.h"
#include "training/pretrain_plan.h"
#include "training/run_settings.h"
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

constexpr double kMaskProbability = 0.15;
constexpr double kValidationFraction = 0.02;
constexpr int64_t kMaxValidationSequences = 1000;  // unless a fraction is given, to bound validation time

// Validation data: separate files, or sequences held out of the training text.
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
  const int64_t limit = options.validation_fraction ? std::numeric_limits<int64_t>::max() : kMaxValidationSequences;
  return hold_out(corpus, options.validation_fraction.value_or(kValidationFraction), limit,
                  SequenceStream::kWindowBlocks, pool);
}

// Training and validation text. Not movable, as the stream refers to the corpus.
struct TrainingText {
  TrainingText(const PretrainOptions& options, int64_t max_length, const Tokenizer& tokenizer, RandomStream random,
               ThreadPool& pool);
  TrainingText(const TrainingText&) = delete;
  TrainingText& operator=(const TrainingText&) = delete;

  CorpusOptions reading;
  Corpus corpus;
  std::string validation_hash;
  HeldOut held_out;
  std::unique_ptr<SequenceStream> stream;
};

TrainingText::TrainingText(const PretrainOptions& options, int64_t max_length, const Tokenizer& tokenizer,
                           RandomStream random, ThreadPool& pool)
    : reading{.rule = parse_document_rule(options.documents),
              .max_length = max_length,
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
  return resolved;
}

// Sets the first weights and returns notices about those of init_from, one per line.
std::string start_weights(Model& model, const PretrainPlan& plan, RandomStream random) {
  if (!plan.start) {
    model.initialize(random);
    return "";
  }
  const LoadingPlan loading(plan.config, plan.start->tensors, plan.start->source, LoadingPlan::Fit::trunk);
  std::vector<std::string> anew;
  for (const LoadingPlan::Missing& one : loading.missing_in_head()) anew.push_back(one.name);
  if (!anew.empty()) model.initialize(random);
  model.load_weights(loading);
  LoadNotes notes = plan.start->notes;
  note_unused(loading, notes);
  std::string text;
  for (const std::string& warning : notes.warnings) text += warning + "\n";
  if (anew.empty()) return text;
  return text + fmt::format("{} lacks parameters of the head, which start anew: {}\n", loading.source(),
                            fmt::join(anew, ", "));
}

}  // namespace

std::unique_ptr<Labeler> make_labeler(const PretrainOptions& options, const Tokenizer& tokenizer) {
  if (options.objective == "clm") return causal_labeler(tokenizer);
  return masked_labeler(tokenizer, {.probability = options.mask_probability.value_or(kMaskProbability),
                                    .whole_words = options.whole_word});
}

PretrainResult pretrain(const PretrainOptions& options, Backend& backend) {
  check_settings(options);
  if (options.output.empty()) throw UsageError("{} is empty, expected a directory", FieldName("output"));
  const std::string tokenizer_directory = options.tokenizer.empty() ? options.init_from : options.tokenizer;
  if (tokenizer_directory.empty())
    throw UsageError("{} is empty, expected a directory (train-tokenizer makes one)", FieldName("tokenizer"));
  const auto tokenizer = load_tokenizer(tokenizer_directory);
  const PretrainPlan plan = make_plan(options, *tokenizer);
  tokenizer->set_model_max_length(plan.max_length);

  const RandomStream random{static_cast<uint64_t>(options.seed), 0};
  TrainingText text(options, plan.max_length, *tokenizer, substream(substream(random, 1), 0), backend.pool());
  PackedSequences& validation = text.held_out.sequences;
  const LanguageOptions language = language_options(options, plan, *tokenizer, validation);
  const int64_t sequences = options.schedule.epochs ? text.stream->count_sequences() : 0;
  const Schedule schedule =
      make_schedule(options.schedule, plan.preset, sequences, language.sequences_per_micro_batch * language.accumulate);
  auto files = tokenizer->files();
  const Json settings =
      run_settings(setting_values(options),
                   resolved_settings(options, plan, schedule, backend.precision(), text, hash_files(files)));
  files["config.json"] = write_config(plan.config).dump(2) + "\n";

  // The model is created first, so that a failed allocation leaves no directory behind.
  Model model(backend, plan.config, true);
  const std::string notices = start_weights(model, plan, substream(random, 0));
  if (options.confirm && !exists(join_path(options.output, "training/settings.json"))) {
    options.confirm(estimated_seconds(training_operations(options, plan, schedule.steps), backend.pool().threads()));
  }
  RunDirectory directory(options.output, settings, files);
  PretrainResult result{.already_finished = directory.resumed_step() >= schedule.steps,
                        .training = {.steps = directory.resumed_step(), .tokens = 0, .validation = {}},
                        .parameters = plan.config.parameters()};
  if (options.accepted) options.accepted(result.already_finished);
  if (result.already_finished) return result;
  if (options.undivided && text.corpus.undivided()) options.undivided(*text.corpus.undivided());

  if (directory.resumed_step() == 0 && !notices.empty()) options.messages.write(notices);
  const int64_t validated = validation.size();
  LanguageObjective objective(model, make_labeler(options, *tokenizer), language, std::move(text.stream),
                              std::move(validation), substream(random, 1));
  options.messages.write(
      fmt::format("{}, {:.1f} MB; {}. {} parameters, {} positions.{}\n", counted(text.corpus.documents(), "document"),
                  static_cast<double>(text.corpus.bytes()) / 1e6, counted(validated, "validation sequence"),
                  result.parameters, position_name(plan.config.position),
                  directory.resumed_step() > 0
                      ? ""
                      : fmt::format(" Unigram baseline of the validation loss: {:.3f}", objective.unigram_loss())));
  text.held_out.blocks.clear();  // the stream holds those it needs
  result.training = train(model, objective,
                          {.schedule = schedule,
                           .optimizer = options.optimizer,
                           .intervals = options.intervals,
                           .random = substream(random, 2),
                           .output = options.messages,
                           .stop_token = options.stop_token,
                           .cpu_speed = options.cpu_speed,
                           .times = options.times},
                          directory);
  return result;
}

}  // namespace roformer
