#include "tasks/finetune_plan.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

#include <fmt/ranges.h>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/inapplicable_error.h"
#include "data/labeled/augment.h"
#include "data/labeled/split.h"
#include "models/families/family.h"
#include "models/reposition.h"
#include "tasks/evaluation.h"
#include "tasks/pooling.h"
#include "text/tokenizer.h"

namespace roformer {

namespace {

constexpr double kValidationFraction = 0.1;

std::string hash_of(const std::vector<std::string>& files) {
  std::string all;
  for (const std::string& file : files) all += hash_hex(MappedFile(file).view());
  return all.empty() ? "" : hash_hex(all);
}

void check_together(const FinetuneOptions& options) {
  const int ways =
      (options.validation.empty() ? 0 : 1) + (options.validation_fraction ? 1 : 0) + (options.folds ? 1 : 0);
  if (ways > 1) {
    throw InapplicableError("use one of {}, {} and {}", FieldName("validation"), FieldName("validation_fraction"),
                            FieldName("folds"));
  }
  if (options.fold && !options.folds) {
    throw InapplicableError("{} is one of several: expected {}", FieldName("fold"), FieldName("folds"));
  }
  if (options.folds && !options.fold) {
    throw UsageError("one training has one of the {}: expected {}", FieldName("folds"), FieldName("fold"));
  }
  if (options.fold && *options.fold > *options.folds) {
    throw UsageError("{} is {}, expected 1 to {}, the {}", FieldName("fold"), *options.fold, *options.folds,
                     FieldName("folds"));
  }
  if (options.schedule.steps && options.schedule.epochs) {
    throw InapplicableError("use either {} or {}", FieldName("steps"), FieldName("epochs"));
  }
}

// Examples of triplets share texts, which are not to be on both sides.
std::vector<ExampleSplit> folds_of(const FinetuneOptions& options, const FinetunePlan& plan) {
  const auto seed = static_cast<uint64_t>(options.split_seed);
  if (plan.task->kind == TaskKind::triplet) return disjoint_folds(plan.training, *options.folds, seed);
  return split_folds(plan.training.size(), *options.folds, seed);
}

void split_training(const FinetuneOptions& options, FinetunePlan& plan) {
  const ExampleSplit split =
      options.folds ? folds_of(options, plan)[static_cast<size_t>(*options.fold) - 1]
                    : split_examples(plan.training.size(), options.validation_fraction.value_or(kValidationFraction),
                                     static_cast<uint64_t>(options.split_seed));
  const auto select = [&](const std::vector<size_t>& indices) {
    std::vector<Example> selected;
    for (const size_t i : indices) selected.push_back(plan.training[i]);
    return selected;
  };
  plan.validation = select(split.validation);
  plan.training = select(split.train);
}

void read_data(const FinetuneOptions& options, FinetunePlan& plan) {
  ReadOptions reading = read_options(options.columns);
  reading.labels_required = true;
  reading.stop_token = options.stop_token;
  plan.training = read_files(*plan.task, options.train, reading, plan.warnings);
  plan.training_hash = hash_of(options.train);
  plan.validation_hash = hash_of(options.validation);
  if (options.validation.empty()) {
    split_training(options, plan);
  } else {
    plan.validation = read_files(*plan.task, options.validation, reading, plan.warnings);
  }
  if (options.augment) {
    if (plan.task->kind != TaskKind::triplet) {
      throw InapplicableError("{} is for triplets and has no effect on {}", FieldName("augment"),
                              kind_name(plan.task->kind));
    }
    plan.training = augment_triplets(plan.training);
  }
  if (plan.training.empty() || plan.validation.empty()) {
    throw DataError("{}: {} examples to train on and {} to validate on, expected at least one each",
                    FilePath(options.train.front()), plan.training.size(), plan.validation.size());
  }
}

void set_labels(const FinetuneOptions& options, FinetunePlan& plan, const ModelConfig& start) {
  ModelConfig& config = plan.config;
  const Task& task = *plan.task;
  switch (task.kind) {
    case TaskKind::regression:
      config.labels = {"LABEL_0"};
      config.problem = Problem::regression;
      return;
    case TaskKind::triplet:
      config.labels = {"similar"};
      config.problem = Problem::score;
      return;
    case TaskKind::question_answering:
    case TaskKind::multiple_choice: return;
    default: break;
  }
  config.problem = task.kind == TaskKind::multilabel ? Problem::multi_label : Problem::single_label;
  const std::vector<std::string> found = collect_labels(plan.training);
  if (found.size() < 2 && task.kind == TaskKind::classification) {
    throw DataError("{}: all examples to train on ({}) have the label {}, expected at least two labels",
                    FilePath(options.train.front()), plan.training.size(), quote(found.empty() ? "" : found.front()));
  }
  if (found.empty()) throw DataError("{}: no example has a label", FilePath(options.train.front()));
  const LabelNames own(start.labels);
  // A model that was fine-tuned on these labels goes on with them.
  const bool same = start.head == config.head && own.size() == std::ssize(task.labels.empty() ? found : task.labels) &&
                    std::ranges::all_of(found, [&](const std::string& label) { return own.find(label) >= 0; });
  if (same) {
    config.labels = start.labels;
  } else {
    config.labels = task.labels.empty() ? found : task.labels;
  }
  const std::string unknown = unknown_label_notice(LabelNames(config.labels), plan.validation);
  if (!unknown.empty()) plan.warnings.push_back("validation examples: " + unknown);
}

// Removes the tensors of a head that is not the one of `config`.
void drop_head(FoundModel& found, const ModelConfig& config) {
  const Family& family = *found.config.family;
  std::erase_if(found.tensors, [&](const AvailableTensor& tensor) {
    const std::string ours = our_name(family, tensor.name);
    if (ours.starts_with("pooler.")) return !config.pooler;
    if (!ours.empty()) return !is_of_trunk(ours);
    return std::ranges::any_of(family.head_tensors,
                               [&](const char* pattern) { return matches_pattern(tensor.name, pattern); });
  });
}

// Sentence vectors have no head; RoFormer-Sim has a language model's, and a linear pooler.
void set_vectors(const FinetuneOptions& options, FinetunePlan& plan) {
  const ModelConfig& start = plan.start.config;
  ModelConfig& config = plan.config;
  const bool sim = plan.task->generates;
  plan.vectors =
      make_vector_recipe(options.model, start, options.pooling, options.max_length.value_or(0), plan.task->max_length);
  config.head = Head::none;
  config.missing_head.clear();
  if (sim) {
    if (config.family != &families::roformer || config.has_linear_attention()) {
      throw UsageError("{} {} is not a RoFormer with softmax attention, as {} needs", FieldName("model"), options.model,
                       plan.task->name);
    }
    if (options.pooling != "auto") {
      throw InapplicableError("{} has no effect on {}, whose vectors are the pooler's", FieldName("pooling"),
                              plan.task->name);
    }
    plan.vectors.pooling = TextPooling::pooler;
    plan.vectors.normalize = false;
    plan.vectors.files.clear();
    config.head = Head::masked_lm;
    config.tied = !start.is_language_model() || start.tied;
    config.pooler_activation = Activation::none;
  }
  config.pooler = plan.vectors.pooling == TextPooling::pooler;
  if (options.dropout) config.hidden_dropout = config.attention_dropout = *options.dropout;
  complete(config, "");
  if (start.pooler_activation == config.pooler_activation) return;
  std::erase_if(plan.start.tensors, [&](const AvailableTensor& tensor) {
    return our_name(*start.family, tensor.name).starts_with("pooler.");
  });
}

void set_head(const FinetuneOptions& options, FinetunePlan& plan) {
  const ModelConfig start = plan.start.config;
  plan.config = start;
  ModelConfig& config = plan.config;
  if (config.attention_mask != AttentionMask::bidirectional) {
    throw UsageError(
        "{} {} is a decoder ({}): its last token would have to stand for a text, which is not supported; "
        "expected an encoder",
        FieldName("model"), options.model, config.family->causal_setting);
  }
  if (!has_head(plan.task->kind)) return set_vectors(options, plan);
  config.head = head_of(plan.task->kind);
  config.missing_head.clear();
  config.pooler = false;  // complete() sets it where the head reads it
  set_labels(options, plan, start);
  set_pooling(options.pooling, *plan.task, config);
  if (options.dropout) config.hidden_dropout = config.attention_dropout = *options.dropout;
  complete(config, "");
  const bool fits = start.head == config.head && start.labels == config.labels &&
                    start.classifier_pooling == config.classifier_pooling && start.family == config.family;
  if (!fits) drop_head(plan.start, config);
  if (config.family != start.family) reposition(plan.start, config);  // gives the tensors that family's names
}

}  // namespace

std::vector<double> label_weights(const std::vector<std::string>& settings, TaskKind kind, const LabelNames& labels,
                                  std::span<const Example> examples) {
  std::vector<double> weights(labels.names().size(), 1.0);
  if (settings.empty()) return weights;
  if (!has_labels(kind)) {
    throw InapplicableError("{} has no effect on {}, which has no labels", FieldName("class_weights"), kind_name(kind));
  }
  if (settings == std::vector<std::string>{"balanced"}) {
    std::vector<double> counts(weights.size(), 0.0);
    double total = 0;
    for (const Example& example : examples) {
      for (const std::string& label : example.labels) {
        if (const int32_t id = labels.find(label); id >= 0) {
          ++counts[static_cast<size_t>(id)];
          ++total;
        }
      }
    }
    for (size_t i = 0; i < weights.size(); ++i) {
      if (counts[i] > 0) weights[i] = total / (static_cast<double>(weights.size()) * counts[i]);
    }
    return weights;
  }
  for (const std::string& setting : settings) {
    const size_t equals = setting.rfind('=');
    double weight = 0;
    const char* end = setting.data() + setting.size();
    if (equals != std::string::npos) {
      const auto [read, error] = std::from_chars(setting.data() + equals + 1, end, weight);
      if (error != std::errc() || read != end || !std::isfinite(weight)) weight = 0;
    }
    if (weight <= 0) {
      throw UsageError("{} is {}, expected balanced or LABEL=WEIGHT with a weight above 0", FieldName("class_weights"),
                       quote(setting));
    }
    const int32_t id = labels.find(setting.substr(0, equals));
    if (id < 0) {
      throw UsageError("{}: there is no label {}, expected one of {}", FieldName("class_weights"),
                       quote(setting.substr(0, equals)), fmt::join(labels.names(), ", "));
    }
    weights[static_cast<size_t>(id)] = weight;
  }
  return weights;
}

FinetunePlan make_finetune_plan(const FinetuneOptions& options) {
  check_settings(options);
  check_together(options);
  FinetunePlan plan;
  plan.task = &find_task(options.task);
  plan.start = find_model(options.model);
  check_keys_to_train(join_path(model_directory(options.model), "config.json"), plan.start.config,
                      plan.start.notes.unknown_keys);
  plan.warnings = plan.start.notes.warnings;
  read_data(options, plan);
  set_head(options, plan);
  const int64_t usual = has_head(plan.task->kind) ? std::min(plan.task->max_length, length_limit(plan.config).tokens)
                                                  : plan.vectors.preparation.max_length;
  plan.inputs = {.max_length = options.max_length.value_or(usual), .stride = options.stride};
  plan.metric = options.metric.empty() ? plan.task->metrics.front() : options.metric;
  return plan;
}

}  // namespace roformer
