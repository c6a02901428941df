// roformer inspect: what a model directory contains.
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <iostream>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>
#include <set>
#include <variant>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/progress.h"
#include "cli/engine.h"
#include "cli/registry.h"
#include "inference/sentence_choice.h"
#include "models/families/family.h"
#include "models/model.h"
#include "text/tokenizer.h"

namespace roformer {
namespace {

struct InspectOptions {
  std::string model;
  bool tensors = false;
  bool json = false;
};

void describe(OptionSet& set, InspectOptions& options) {
  set.add("--model", options.model, "model directory, or a weights file in one", "DIR");
  set.require("--model");
  set.add("--tensors", options.tensors, "also list the tensors: dtype, shape, name (--json always does)");
  add_json(set, options.json);
}

// A directory as this program reads it, or why it cannot.
struct Inspected {
  std::optional<ModelConfig> config;
  std::string problem;
  int64_t parameters = 0;  // of the model; of one that cannot be loaded, the elements in its files
  int64_t stored = 0;      // elements in its files
  LoadNotes notes;
};

Inspected inspect(const std::string& path, const WeightFiles& weights) {
  Inspected result;
  for (const auto& [info, file] : weights.tensors()) {
    result.stored += std::accumulate(info.shape.begin(), info.shape.end(), int64_t{1}, std::multiplies<>());
  }
  try {
    PlannedModel planned = plan_model(path);
    result.config = std::move(planned.config);
    result.notes = std::move(planned.notes);
    result.parameters = result.config->parameters();
  } catch (const Error& error) {
    result.problem = error.what();
    result.parameters = result.stored;
  }
  return result;
}

std::string file_name(const std::string& path) { return std::filesystem::path(path).filename().string(); }

void add_row(std::string& text, std::string_view name, const std::string& value) {
  text += fmt::format("{:<11} {}\n", name, value);
}

std::string shape_row(const ModelConfig& config) {
  std::string text = fmt::format("{}, hidden {}, {} of {}, ", counted(config.layers, "layer"), config.hidden,
                                 counted(config.heads, "head"), config.head_dim());
  if (config.key_heads() != config.heads) text += fmt::format("{} of keys and values, ", config.key_heads());
  text += fmt::format("intermediate {}, vocabulary {}", config.intermediate, config.vocabulary);
  if (config.embedding != config.hidden) text += fmt::format(", embeddings {}", config.embedding);
  return text;
}

std::string position_row(const ModelConfig& config) {
  std::string text(position_name(config.position));
  if (const auto* rotary = std::get_if<RotaryPosition>(&config.position)) {
    text += fmt::format(", base {:g}", rotary->rotary.base);
    if (rotary->rotary.dim != config.head_dim()) text += fmt::format(", {} dimensions per head", rotary->rotary.dim);
    if (rotary->rotary.scaling.index() != 0) text += ", scaled for longer texts";
    if (rotary->rotate_values) text += ", values too";
    if (!config.layer_rotary.empty()) text += ", others in some layers";
  } else if (std::holds_alternative<LearnedPosition>(config.position)) {
    text += fmt::format(", {} positions", config.max_positions);
  }
  return text;
}

std::string attention_row(const ModelConfig& config) {
  std::set<std::string> kinds;
  for (const AttentionKind kind : config.attention) kinds.insert(attention_name(kind));
  const char* mask = config.attention_mask == AttentionMask::bidirectional ? "bidirectional"
                     : config.attention_mask == AttentionMask::causal      ? "causal"
                                                                           : "prefix";
  std::string text = fmt::format("{}, {}", fmt::join(kinds, " and "), mask);
  int64_t windows = 0, farthest = 0;
  for (int64_t i = 0; i < config.layers; ++i) {
    if (config.window_of(i).all()) continue;
    farthest = std::max(farthest, config.window_of(i).before);
    ++windows;
  }
  if (windows > 0)
    text +=
        fmt::format(", {} of {} see {} before", windows, counted(config.layers, "layer"), counted(farthest, "token"));
  return text;
}

std::string tokenizer_row(const std::string& directory) {
  try {
    const auto tokenizer = load_tokenizer(directory);
    return fmt::format("{}, {}", tokenizer->type(), counted(tokenizer->vocabulary_size(), "token"));
  } catch (const Error& error) {
    return fmt::format("not readable ({})", error.what());
  }
}

std::string step_text(const SentenceStep& step) {
  const std::string where = step.on_tokens ? " of each token" : "";
  if (const auto* pool = std::get_if<PoolStep>(&step.what)) {
    std::vector<std::string> names;
    for (const TextPooling mode : pool->modes) names.push_back(pooling_names()[static_cast<size_t>(mode)]);
    return fmt::format("{} pooling{}", fmt::join(names, " and "), pool->include_prompt ? "" : " without the prompt");
  }
  if (const auto* dense = std::get_if<DenseStep>(&step.what)) {
    return fmt::format("dense layer{} to {}", where, dense->weights->outputs);
  }
  return (std::holds_alternative<NormalizeStep>(step.what) ? "normalized" : "layer norm") + where;
}

// What embed does without options. `path` is the one given by the user, `directory` that of config.json.
std::string vectors_row(const ModelConfig& config, const std::string& path, const std::string& directory) {
  try {
    const SentenceModules modules = read_sentence_modules(path);
    if (!modules.unsupported.empty()) return modules.unsupported;
    std::vector<std::string> parts;
    for (const SentenceStep& step : modules.steps) parts.push_back(step_text(step));
    const bool pooled = !modules.steps.empty();
    if (!pooled) parts = {step_text({PoolStep{{default_pooling(config)}}})};
    const auto normalizes = [](const SentenceStep& step) { return std::holds_alternative<NormalizeStep>(step.what); };
    if (std::ranges::none_of(modules.steps, normalizes)) parts.emplace_back("not normalized");
    if (modules.dimensions) parts.push_back(fmt::format("the first {} dimensions", *modules.dimensions));
    if (modules.lower_case) parts.emplace_back("texts in lower case");
    if (modules.default_prompt) parts.push_back(fmt::format("prompt {}", quote(*modules.default_prompt)));
    const int64_t length = default_length(modules, *load_tokenizer(directory), config).tokens;
    if (length > 0) parts.push_back(fmt::format("texts truncated to {}", counted(length, "token")));
    return fmt::format("{}{}", fmt::join(parts, ", "), pooled ? "" : " (the directory names no pooling)");
  } catch (const Error& error) {
    return error.what();
  }
}

std::string tensors_row(const Inspected& inspected, const WeightFiles& weights) {
  std::set<std::string> types;
  for (const auto& [info, file] : weights.tensors()) types.insert(info.dtype);
  std::string text =
      fmt::format("{} of {} in {}", weights.tensors().size(), fmt::join(types, " and "), file_name(weights.source()));
  if (!inspected.notes.wrapper.empty()) text += fmt::format(", names without {}", quote(inspected.notes.wrapper));
  if (inspected.stored != inspected.parameters) {
    text +=
        fmt::format(", {} elements, including non-parameters (fixed tables, copies, unused heads)", inspected.stored);
  }
  return text;
}

std::string summary(const JsonObject& config, const Inspected& inspected, const WeightFiles& weights,
                    const std::string& path, const std::string& directory) {
  std::string text;
  if (inspected.config) {
    const ModelConfig& model = *inspected.config;
    const LoadNotes& notes = inspected.notes;
    add_row(text, "family",
            fmt::format("{} ({})", model.family->name,
                        notes.family_reason.empty() ? "model_type " + config.get_string("model_type", "-")
                                                    : notes.family_reason));
    add_row(text, "head",
            std::string(head_name(model.head)) +
                (notes.head_reason.empty() ? "" : fmt::format(" ({})", notes.head_reason)));
    if (notes.head_reason.find(model.missing_head) == std::string::npos) add_row(text, "", model.missing_head);
    if (model.encoder != nullptr) add_row(text, "encoder", shape_row(*model.encoder));
    add_row(text, model.encoder == nullptr ? "shape" : "decoder", shape_row(model));
    const std::string positions = position_row(model);
    const std::string of_encoder = model.encoder == nullptr ? positions : position_row(*model.encoder);
    add_row(text, "positions",
            positions == of_encoder ? positions : fmt::format("{} in the encoder, {}", of_encoder, positions));
    add_row(text, "attention", attention_row(model));
  } else {
    add_row(text, "family", config.get_string("model_type", "unknown"));
    add_row(text, "not usable", inspected.problem);
  }
  add_row(text, "tokenizer", tokenizer_row(directory));
  if (inspected.config && inspected.config->attention_mask == AttentionMask::bidirectional) {
    add_row(text, "embed", vectors_row(*inspected.config, path, directory));
  }
  add_row(text, "parameters", fmt::format("{}", inspected.parameters));
  add_row(text, "tensors", tensors_row(inspected, weights));
  return text;
}

Json tensors_json(const WeightFiles& weights) {
  Json tensors = Json::array();
  for (const auto& [info, file] : weights.tensors()) {
    Json tensor = {{"name", info.name}, {"shape", info.shape}, {"dtype", info.dtype}};
    if (weights.sharded()) tensor["file"] = file_name(file->path());
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

std::string tensor_lines(const WeightFiles& weights) {
  std::string lines;
  for (const auto& [info, file] : weights.tensors()) {
    lines += fmt::format("  {:<6}{:<20}{}{}\n", info.dtype, fmt::format("[{}]", fmt::join(info.shape, ", ")), info.name,
                         weights.sharded() ? "  in " + file_name(file->path()) : "");
  }
  return lines;
}

// Also of models this program cannot run. Tensor data is not read.
void run(const InspectOptions& options) {
  const std::string directory = model_directory(options.model);
  const JsonObject config = JsonObject::read(join_path(directory, "config.json"));
  const WeightFiles weights(options.model);
  const Inspected inspected = inspect(options.model, weights);
  print_warnings(inspected.notes);
  if (options.json) {
    const bool usable = inspected.config.has_value();
    std::cout << dump_json({{"model_type", config.get_string("model_type", "")},
                            {"family", usable ? Json(inspected.config->family->name) : Json()},
                            {"head", usable ? Json(head_name(inspected.config->head)) : Json()},
                            {"warnings", inspected.notes.warnings},
                            {"parameters", inspected.parameters},
                            {"tensors", tensors_json(weights)},
                            {"config", config.value()}})
              << "\n";
    return;
  }
  std::cout << summary(config, inspected, weights, options.model, directory)
            << (options.tensors ? tensor_lines(weights) : "");
}

}  // namespace

Command inspect_command() {
  return {.name = "inspect",
          .summary = "Show what a model directory contains",
          .group = "Look inside",
          .example = "roformer inspect --model model",
          .prepare = prepare_with<InspectOptions>(describe, run)};
}

}  // namespace roformer
