#include "training/start.h"

#include <algorithm>
#include <utility>
#include <variant>

#include <fmt/ranges.h>

#include "base/error.h"
#include "base/file.h"
#include "formats/directory_weights.h"
#include "formats/module_list.h"
#include "models/families/family.h"
#include "models/shape_settings.h"

namespace roformer {

namespace {

// An option of the shape that a trained model does not take; empty if none is given.
std::string option_of_shape(const PretrainOptions& options) {
  if (!options.config.empty()) return "config";
  const std::vector<SettingValues::Entry> given = setting_values(options.shape).entries(),
                                          defaults = setting_values(ShapeOptions()).entries(),
                                          taken = setting_values(PositionOptions()).entries();
  for (size_t i = 0; i < given.size(); ++i) {
    const std::string& name = given[i].name;
    if (given[i].value == defaults[i].value || name == "preset" || name == "position" || name == "dropout") continue;
    if (std::ranges::find(taken, name, &SettingValues::Entry::name) == taken.end()) return name;
  }
  return "";
}

// Whether the number of positions says nothing else than how long texts may be.
bool only_a_length(const PositionEncoding& position) {
  if (const auto* learned = std::get_if<LearnedPosition>(&position)) return !learned->hierarchical;
  const auto* rotary = std::get_if<RotaryPosition>(&position);
  return rotary == nullptr || std::holds_alternative<std::monostate>(rotary->rotary.scaling);
}

// From one rotation to another, what the options do not say stays as it was trained.
void keep_rotation(const ModelConfig& own, const ShapeOptions& shape, ModelConfig& config) {
  const auto* before = std::get_if<RotaryPosition>(&own.position);
  auto* now = std::get_if<RotaryPosition>(&config.position);
  if (before == nullptr || now == nullptr || !shape.position) return;
  now->rotary.layout = before->rotary.layout;
  now->rotate_values = before->rotate_values;
  if (!shape.position_options.rotary_base) now->rotary.base = before->rotary.base;
}

}  // namespace

Start find_start(const PretrainOptions& options) {
  if (const std::string option = option_of_shape(options); !option.empty()) {
    throw UsageError("{} takes the model's shape from {}, except for its positions and dropout; leave out {}",
                     FieldName("init_from"), options.init_from, FieldName(option));
  }
  FoundModel found = find_model(options.init_from);
  check_keys_to_train(join_path(model_directory(options.init_from), "config.json"), found.config,
                      found.notes.unknown_keys);
  found.config.pooler = false;  // a language model has no use for it
  found.config.missing_head.clear();
  if (found.config.family->widen != nullptr) found.config.family->widen(found.config);
  return {.model = std::move(found)};
}

ModelConfig config_to_train(const Start& start, const PretrainOptions& options, int64_t longest) {
  const ModelConfig& own = start.model.config;
  ShapeOptions shape = options.shape;
  // The encoding it has keeps its other settings.
  if (shape.position == position_name(own.position)) shape.position.reset();
  if (!own.layer_rotary.empty() && (shape.position || shape.position_options != PositionOptions())) {
    throw UsageError("the rotations of {} differ by layer and stay as they are; leave out {}", options.init_from,
                     FieldName(shape.position ? "position" : shape.position_options.given().front()));
  }
  ModelConfig config = shape.apply(own);
  keep_rotation(own, shape, config);
  if (!shape.position_options.max_positions && only_a_length(config.position)) {
    config.max_positions = std::max(config.max_positions, longest);
  }
  return config;
}

void take_config(Start& start, const ModelConfig& config, int64_t longest) {
  const int64_t trained = start.model.config.max_positions;
  start.repositioning = reposition(start.model, config);
  if (longest <= trained || std::holds_alternative<LearnedPosition>(config.position) ||
      std::holds_alternative<TupePosition>(config.position)) {
    return;
  }
  start.repositioning.notices.push_back(
      fmt::format("{}: sequences of {} tokens are longer than the {} of its config.json; {} positions have no limit",
                  start.model.source, longest, trained, position_name(config.position)));
}

std::vector<std::string> start_weights(Model& model, const Start& start, RandomStream random) {
  const LoadingPlan loading(model.config(), start.model.tensors, start.model.source,
                            start.repositioning.anew ? LoadingPlan::Fit::trunk_anew : LoadingPlan::Fit::trunk);
  std::vector<std::string> anew;
  for (const LoadingPlan::Missing& one : loading.missing_in_head()) anew.push_back(one.name);
  if (!anew.empty() || start.repositioning.anew) model.initialize(random, &loading);
  model.load_weights(loading);
  LoadNotes notes;
  note_unused(loading, notes);
  if (!anew.empty()) {
    notes.warnings.push_back(
        fmt::format("{} lacks parameters of the head, which start anew: {}", loading.source(), fmt::join(anew, ", ")));
  }
  return notes.warnings;
}

std::map<std::string, std::string> companion_files(const PretrainOptions& options) {
  constexpr int64_t kMaxFileBytes = int64_t{1} << 24;
  if (options.init_from.empty()) return {};
  const std::string directory = model_directory(options.init_from);
  auto files = module_files(is_directory(options.init_from) ? options.init_from : directory);
  const std::string name = "generation_config.json", path = join_path(directory, name);
  if (exists(path)) files[name] = read_file(path, kMaxFileBytes);
  return files;
}

}  // namespace roformer
