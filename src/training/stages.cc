#include "training/stages.h"

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.h"
#include "formats/directory_weights.h"
#include "training/run_settings.h"

namespace roformer {

namespace {

constexpr const char* kStages = "stages";

// Resolved settings and everything else that affects the result. Threads, device, logging and snapshots do not.
Json resolved_settings(const Stage& stage, Precision precision, const std::string& tokenizer_hash) {
  const PretrainOptions& options = stage.options;
  Json resolved = {
      {"dtype", precision_name(precision)},
      {"model", write_config(stage.plan.config)},
      {"data", stage.corpora->training().content_hash()},
      {"validation-data", stage.corpora->validation_hash()},
      // Not the default's value: given explicitly, the same fraction is not capped.
      {"validation-fraction", options.validation_fraction ? Json(*options.validation_fraction) : Json("default")},
      {"tokenizer", tokenizer_hash},
      {"init-from", options.init_from.empty() ? "" : WeightFiles(options.init_from).content_hash()},
      {"max-length", stage.plan.max_length},
      {"batch-tokens", stage.plan.batch_tokens},
      {"steps", stage.steps()},
      {"learning-rate", stage.schedule.learning_rate},
      {"warmup", stage.schedule.warmup}};
  if (options.objective == "mlm") {
    resolved["mask-probability"] = options.mask_probability.value_or(kMaskProbability);
  }
  // Null as in runs from before this setting existed. When validations are matters only here.
  resolved["best"] = options.best == "none" ? Json() : Json(options.best);
  if (options.best != "none") resolved["validate-every"] = options.intervals.validate_every;
  return resolved;
}

std::string stage_key(size_t stage, std::string_view setting) {
  return fmt::format("stage-{}.{}", stage + 1, hyphenated(setting));
}

int64_t length_of(const PretrainOptions& stage) { return stage.max_length.value_or(run_defaults(stage).max_length); }

// What another stage would train on must not be held out of a text by sequences of one length.
void check_validation(std::span<const PretrainOptions> stages) {
  for (const PretrainOptions& stage : stages) {
    const bool held_out = stage.validation_data.empty() && stage.validation_fraction != 0;
    if (!held_out || (stage.data == stages[0].data && length_of(stage) == length_of(stages[0]))) continue;
    throw UsageError(
        "the stages have several lengths or texts: what one holds out for validation, another would train on; expected "
        "{}, or {} 0",
        FieldName("validation_data"), FieldName("validation_fraction"));
  }
}

// Runs `work` for each stage, whose number starts the message of a UsageError where there are several.
void for_each_stage(size_t stages, const std::function<void(size_t)>& work) {
  for (size_t i = 0; i < stages; ++i) {
    try {
      work(i);
    } catch (const UsageError& error) {
      if (stages == 1) throw;
      throw error.prefixed(fmt::format("stage {}: ", i + 1));
    }
  }
}

}  // namespace

const std::vector<std::string_view>& stage_settings() {
  static const std::vector<std::string_view> names = {
      "data",          "validation_data", "max_length", "batch_tokens",     "accumulate", "steps",
      "learning_rate", "warmup",          "schedule",   "mask_probability", "whole_word"};
  return names;
}

int64_t longest_sequence(std::span<const PretrainOptions> stages) {
  int64_t longest = 0;
  for (const PretrainOptions& stage : stages) longest = std::max(longest, length_of(stage));
  return longest;
}

std::vector<Stage> plan_stages(std::span<const PretrainOptions> options, const Tokenizer& tokenizer) {
  for_each_stage(options.size(), [&](size_t i) {
    check_settings(options[i]);
    if (options.size() > 1 && options[i].schedule.steps.value_or(0) == 0) {
      throw UsageError("a stage needs {}, at least 1", FieldName("steps"));
    }
  });
  if (options.size() > 1) check_validation(options);
  std::vector<Stage> stages;
  const int64_t longest = longest_sequence(options);
  for_each_stage(options.size(), [&](size_t i) {
    stages.push_back({.options = options[i], .plan = make_plan(options[i], tokenizer, longest)});
  });
  const TrainingCorpora* before = nullptr;
  for (Stage& stage : stages) {
    stage.corpora = std::make_unique<const TrainingCorpora>(stage.options, stage.plan.max_length,
                                                            stage.plan.config.vocabulary, tokenizer, before);
    before = stage.corpora.get();
  }
  return stages;
}

void set_schedules(std::vector<Stage>& stages, int64_t sequences) {
  int64_t begin = 0;
  for_each_stage(stages.size(), [&](size_t i) {
    Stage& stage = stages[i];
    stage.schedule = make_schedule(stage.options.schedule, stage.plan.preset, sequences,
                                   stage.plan.sequences_per_micro_batch() * stage.options.accumulate);
    stage.schedule.begin = begin;
    begin = stage.schedule.steps += begin;
  });
}

// The settings of a run: in several stages, those that they may differ in as "stage-2.max-length".
Json settings_of(const std::vector<Stage>& stages, Precision precision, const std::string& tokenizer_hash) {
  Json all;
  for (size_t i = 0; i < stages.size(); ++i) {
    Json settings =
        run_settings(setting_values(stages[i].options), resolved_settings(stages[i], precision, tokenizer_hash));
    if (stages.size() == 1) return settings;
    Json own;
    for (const std::string_view name : stage_settings()) {
      const auto found = settings.find(hyphenated(name));
      if (found == settings.end()) continue;
      own[stage_key(i, name)] = *found;
      settings.erase(found);
    }
    if (i == 0) all = std::move(settings);
    all.update(own);
  }
  all[kStages] = stages.size();
  return all;
}

bool in_stages(const JsonObject& settings) { return settings.has(kStages); }

// A run in stages goes on with the same ones, and with more of them behind these.
Json continue_stages(const std::string& directory, const JsonObject& started, const Json& now) {
  const bool were_stages = in_stages(started);
  if (were_stages != now.contains(kStages)) {
    throw UsageError("{}: this run was started {} stages; go on with them, or use another {}", directory,
                     were_stages ? "in" : "without", FieldName("output"));
  }
  const int64_t before = started.get_int(kStages, std::nullopt, 1);
  Json same = now;
  for (int64_t i = before; i < now[kStages].get<int64_t>(); ++i) {
    for (const std::string_view name : stage_settings()) same.erase(stage_key(static_cast<size_t>(i), name));
    same[kStages] = before;
  }
  const std::vector<std::string> differences = setting_differences(started.value(), same);
  if (differences.empty()) return now;
  throw UsageError("{}; use them, or another {}", other_settings(directory, differences), FieldName("output"));
}

}  // namespace roformer
