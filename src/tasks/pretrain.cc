#include "tasks/pretrain.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "models/families/family.h"
#include "text/tokenizer.h"
#include "training/language_objective.h"

namespace roformer {

namespace {

struct Plan {
  ModelConfig config;
  int64_t max_length = 0, batch_tokens = 0, steps = 0;
  double learning_rate = 0;
};

ModelConfig shape_of(const PretrainOptions& options) {
  if (!options.init_from.empty()) {
    if (options.shape.any() || !options.config.empty()) {
      throw UsageError("--init-from takes the model's shape from {}; leave out the shape options", options.init_from);
    }
    return options.shape.apply(read_config(options.init_from + "/config.json"));
  }
  return options.shape.apply(options.config.empty() ? preset_config(options.shape.preset)
                                                    : read_config(options.config));
}

// What the config of a model must say to learn by this objective; what follows from it (one-sided buckets of distances)
// is complete()'s.
void set_objective(ModelConfig& config, const PretrainOptions& options) {
  if (options.objective == "mlm") {
    if (config.visibility != Visibility::all) {
      throw UsageError("the model's config.json says {}: masked tokens are learned from both sides",
                       config.family->causal_setting);
    }
    config.head = Head::masked_lm;
    return;
  }
  if (options.objective != "clm") throw UsageError("--objective is {}, expected mlm or clm", options.objective);
  if (options.whole_word) throw UsageError("--whole-word masks words, --objective clm masks nothing");
  if (options.mask_probability) throw UsageError("--mask-probability: --objective clm masks nothing");
  if (config.cross_attention) {
    throw UsageError("the model's config.json says add_cross_attention: there is no other text to attend to");
  }
  config.head = Head::causal_lm;
  config.visibility = Visibility::causal;
}

Plan make_plan(const PretrainOptions& options, const Tokenizer& tokenizer) {
  const RunDefaults defaults = preset_run(options.shape.preset);
  Plan plan{.config = shape_of(options),
            .max_length = options.max_length.value_or(defaults.max_length),
            .batch_tokens = options.batch_tokens.value_or(defaults.batch_tokens),
            .steps = options.steps.value_or(defaults.steps),
            .learning_rate = options.learning_rate.value_or(defaults.learning_rate)};
  ModelConfig& config = plan.config;
  const bool fixed = !options.config.empty() || !options.init_from.empty();
  if (!fixed) {
    config.vocabulary = tokenizer.vocabulary_size();
    config.max_positions = std::max(config.max_positions, plan.max_length);
    config.pad_id = tokenizer.pad_id();
    config.linear.favor_seed = options.seed;
  } else if (config.vocabulary < tokenizer.vocabulary_size()) {
    throw UsageError("the tokenizer has {} tokens, the model's vocabulary only {}", tokenizer.vocabulary_size(),
                     config.vocabulary);
  }
  const auto* learned = std::get_if<LearnedPosition>(&config.position);
  const bool table =
      (learned != nullptr && !learned->hierarchical) || std::holds_alternative<TupePosition>(config.position);
  if (table && config.max_positions < plan.max_length) {
    throw UsageError("--max-length {} is longer than the model's {} learned positions", plan.max_length,
                     config.max_positions);
  }
  set_objective(config, options);
  complete(config, "");
  if (plan.batch_tokens < plan.max_length) {
    throw UsageError("--batch-tokens {} holds no sequence of --max-length {}", plan.batch_tokens, plan.max_length);
  }
  if (options.steps && options.epochs) throw UsageError("give --steps or --epochs, not both");
  if (options.validation_fraction && !options.validation_data.empty()) {
    throw UsageError("give --validation-data or --validation-fraction, not both");
  }
  return plan;
}

bool knows(const Tokenizer& tokenizer, std::span<const int32_t> ids) {
  return std::any_of(ids.begin(), ids.end(), [&](int32_t id) { return !tokenizer.is_special(id); });
}

bool knows(const Tokenizer& tokenizer, const PackedSequences& sequences) {
  for (int64_t i = 0; i < sequences.size(); ++i) {
    if (knows(tokenizer, sequences.sequence(i))) return true;
  }
  return false;
}

// A text of nothing but special tokens, [UNK] among them, teaches nothing.
[[noreturn]] void fail_unknown(const Tokenizer& tokenizer, const std::string& path) {
  throw DataError("{}: the tokenizer knows nothing of this text: all its tokens are {}", path,
                  tokenizer.token(tokenizer.unk_id()));
}

// Beside a vocab.txt, tokenizer.json says again what that says; runs of before it was written go on.
std::string hash_files(const std::map<std::string, std::string>& files) {
  std::string all;
  for (const auto& [name, content] : files) {
    if (name != "tokenizer.json" || !files.contains("vocab.txt")) all.append(name).append("\n").append(content);
  }
  return hash_hex(all);
}

constexpr double kMaskProbability = 0.15;
constexpr double kValidationFraction = 0.02;
constexpr int64_t kMostValidationSequences = 1000;  // unless a fraction is asked for: validating takes time, too

// What is validated on: a text of its own, or sequences held out of the training text.
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
  const int64_t most = options.validation_fraction ? std::numeric_limits<int64_t>::max() : kMostValidationSequences;
  return hold_out(corpus, options.validation_fraction.value_or(kValidationFraction), most,
                  SequenceStream::kWindowBlocks, pool);
}

// What decides the result of a run, by the names people use. Threads, device, logging and keeping do not.
Json settings_of(const PretrainOptions& options, const Plan& plan, const Schedule& schedule, Precision precision,
                 const std::string& data_hash, const std::string& validation_hash, const std::string& tokenizer_hash) {
  Json settings = {
      {"objective", options.objective},
      {"dtype", precision_name(precision)},
      {"model", write_config(plan.config)},
      {"data", data_hash},
      {"validation-data", validation_hash},
      // Not the default's number: asked for, the same number is not limited to so many sequences.
      {"validation-fraction", options.validation_fraction ? Json(*options.validation_fraction) : Json("default")},
      {"documents", options.documents},
      {"tokenizer", tokenizer_hash},
      {"init-from",
       options.init_from.empty() ? "" : hash_hex(MappedFile(options.init_from + "/model.safetensors").view())},
      {"max-length", plan.max_length},
      {"batch-tokens", plan.batch_tokens},
      {"accumulate", options.accumulate},
      {"steps", schedule.steps},
      {"learning-rate", schedule.learning_rate},
      {"warmup", schedule.warmup},
      {"schedule", options.schedule},
      {"optimizer", "adamw"},
      {"weight-decay", options.weight_decay},
      {"beta1", options.beta1},
      {"beta2", options.beta2},
      {"epsilon", options.epsilon},
      {"clip-norm", options.clip_norm},
      {"seed", options.seed}};
  if (options.objective == "mlm") {
    settings["mask-probability"] = options.mask_probability.value_or(kMaskProbability);
    settings["whole-word"] = options.whole_word;
  }
  return settings;
}

Schedule schedule_of(const PretrainOptions& options, const Plan& plan, int64_t sequences, int64_t per_step) {
  Schedule schedule{
      .kind = parse_schedule(options.schedule), .learning_rate = plan.learning_rate, .warmup = 0, .steps = plan.steps};
  if (options.epochs) {
    const double steps = std::ceil(*options.epochs * static_cast<double>(sequences) / static_cast<double>(per_step));
    if (!(steps >= 1 && steps < 1e15)) throw UsageError("--epochs {} gives no number of steps", *options.epochs);
    schedule.steps = static_cast<int64_t>(steps);
  }
  const double warmup = options.warmup < 1 ? options.warmup * static_cast<double>(schedule.steps) : options.warmup;
  schedule.warmup = static_cast<int64_t>(std::llround(warmup));
  if (schedule.warmup > schedule.steps) {
    throw UsageError("--warmup {} is longer than the run of {} steps", schedule.warmup, schedule.steps);
  }
  return schedule;
}

TrainerOptions trainer_options(const PretrainOptions& options, const Schedule& schedule, RandomStream random) {
  return {.schedule = schedule,
          .optimizer = {.beta1 = options.beta1,
                        .beta2 = options.beta2,
                        .epsilon = options.epsilon,
                        .weight_decay = options.weight_decay,
                        .clip_norm = options.clip_norm},
          .validate_every = options.validate_every,
          .save_every = options.save_every,
          .log_every = options.log_every,
          .histograms_every = options.histograms_every,
          .keep = static_cast<int>(options.keep),
          .random = random,
          .output = options.messages,
          .stop_token = options.stop_token};
}

}  // namespace

RunDefaults preset_run(const std::string& name) {
  if (name == "demo") return {128, 4096, 400, 1e-3};
  if (name == "paper-mlm") return {512, 64 * 512, 100000, 1e-5};           // paper.md 2.2
  if (name == "paper-performer") return {1024, 128 * 1024, 100000, 1e-4};  // paper.md 2.4
  return {512, 8192, 100000, 1e-4};
}

std::unique_ptr<Labelling> make_labelling(const PretrainOptions& options, const Tokenizer& tokenizer) {
  if (options.objective == "clm") return causal_labelling(tokenizer);
  return masked_labelling(tokenizer, {.probability = options.mask_probability.value_or(kMaskProbability),
                                      .whole_words = options.whole_word});
}

PretrainResult pretrain(const PretrainOptions& options, Backend& backend) {
  if (options.output.empty()) throw UsageError("--output is empty, expected a directory");
  const std::string tokenizer_directory = options.tokenizer.empty() ? options.init_from : options.tokenizer;
  if (tokenizer_directory.empty()) throw UsageError("--tokenizer DIR is needed (train-tokenizer makes one)");
  const auto tokenizer = load_tokenizer(tokenizer_directory);
  const Plan plan = make_plan(options, *tokenizer);
  tokenizer->set_model_max_length(plan.max_length);

  const CorpusOptions reading{
      .rule = parse_document_rule(options.documents), .max_length = plan.max_length, .stop_token = options.stop_token};
  const Corpus corpus(options.data, reading, *tokenizer);
  const RandomStream random{static_cast<uint64_t>(options.seed), 0};
  std::string validation_hash;
  HeldOut held_out = read_validation(options, reading, corpus, *tokenizer, backend.pool(), validation_hash);
  SequenceStream stream(corpus, std::move(held_out.numbers), substream(substream(random, 1), 0),
                        static_cast<int>(options.reader_threads.value_or(backend.pool().threads())));
  held_out.blocks.push_back(corpus.load(0, backend.pool()));
  const auto known = [&](const auto& ids) { return knows(*tokenizer, ids); };
  if (!known(*held_out.blocks.back()) && std::ranges::none_of(stream.window(), known)) {
    fail_unknown(*tokenizer, corpus.name());
  }
  const bool causal = options.objective == "clm";
  const LanguageOptions language{.sequences_per_micro_batch = plan.batch_tokens / plan.max_length,
                                 .accumulate = options.accumulate,
                                 .perplexity = causal,
                                 .characters = causal ? count_characters(*tokenizer, held_out.sequences) : 0};
  const int64_t sequences = options.epochs ? stream.count_sequences() : 0;
  const Schedule schedule =
      schedule_of(options, plan, sequences, language.sequences_per_micro_batch * language.accumulate);
  auto files = tokenizer->files();
  const Json settings = settings_of(options, plan, schedule, backend.precision(), corpus.content_hash(),
                                    validation_hash, hash_files(files));
  files["config.json"] = write_config(plan.config).dump(2) + "\n";

  // The model comes first: settings that cannot be allocated leave no directory behind.
  Model model(backend, plan.config, true);
  if (options.init_from.empty()) {
    model.initialise(substream(random, 0));
  } else {
    const std::string weights = options.init_from + "/model.safetensors";
    model.load_weights(load_state_dict(weights), weights);
  }
  RunDirectory directory(options.output, settings, files);
  PretrainResult result{.already_finished = directory.resumed_step() >= schedule.steps,
                        .training = {.steps = directory.resumed_step(), .tokens = 0, .validation = {}},
                        .parameters = plan.config.parameters()};
  if (options.accepted) options.accepted(result.already_finished);
  if (result.already_finished) return result;

  const int64_t validated = held_out.sequences.size();
  LanguageObjective objective(model, make_labelling(options, *tokenizer), language, stream,
                              std::move(held_out.sequences), substream(random, 1));
  options.messages.write(fmt::format(
      "{} documents of {:.1f} MB; {} sequences to validate on. {} parameters, {} positions.{}\n", corpus.documents(),
      static_cast<double>(corpus.bytes()) / 1e6, validated, result.parameters, position_name(plan.config.position),
      directory.resumed_step() > 0
          ? ""
          : fmt::format(" Unigram baseline of the validation loss: {:.3f}", objective.unigram_loss())));
  held_out.blocks.clear();  // the stream has them, if it needs them
  result.training = train(model, objective, trainer_options(options, schedule, substream(random, 2)), directory);
  return result;
}

}  // namespace roformer
