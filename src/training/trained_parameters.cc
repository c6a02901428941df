#include "training/trained_parameters.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string_view>

#include "base/error.h"
#include "models/families/family.h"
#include "training/adapter_files.h"

namespace roformer {

namespace {

// The layer of a parameter; −1 below all layers, and their number above.
int64_t height_of(const ModelConfig& config, std::string_view name) {
  if (name.starts_with("embeddings.") || name.starts_with("positions.")) return -1;
  constexpr std::string_view kLayers = "layers.";
  if (!name.starts_with(kLayers)) return config.layers;
  int64_t layer = 0;
  std::from_chars(name.data() + kLayers.size(), name.data() + name.size(), layer);
  return layer;
}

// Parameters of this height and above are trained; empty: only what is not of the trunk.
std::optional<int64_t> lowest_trained(const ModelConfig& config, const std::string& freeze) {
  if (freeze == "encoder") return std::nullopt;
  if (freeze == "embeddings") return 0;
  int64_t layers = 0;
  const auto [end, error] = std::from_chars(freeze.data(), freeze.data() + freeze.size(), layers);
  const bool whole = error == std::errc() && end == freeze.data() + freeze.size();
  if (!whole || layers < 0 || layers > config.layers) {
    throw UsageError("{} is {}, expected embeddings, encoder, or a number of layers from 0 to {}", FieldName("freeze"),
                     quote(freeze), config.layers);
  }
  return layers;
}

bool has_target(const Model& model, const std::string& target) {
  return std::ranges::any_of(model.table(), [&](const TableEntry& entry) {
    return is_lora_target({.rank = 1, .alpha = {}, .targets = {target}}, entry.spec.name);
  });
}

void check_lora(const Model& model, const StepOptions& options) {
  if (!options.lora.rank) return;
  if (options.freeze) {
    throw UsageError("{} is {}, but {} freezes all but the head and its own matrices", FieldName("freeze"),
                     quote(*options.freeze), FieldName("lora_rank"));
  }
  if (options.lora.targets.empty()) {
    throw UsageError("{} is empty, expected one or more of {}", FieldName("lora_targets"),
                     fmt::join(lora_target_names(), ", "));
  }
  if (options.lora.save == "adapter" && options.ema_decay) {
    throw UsageError("{} is adapter, but an average of weights has no low rank: leave out {}", FieldName("lora_save"),
                     FieldName("ema_decay"));
  }
  if (options.lora.save == "adapter") adapter_config(model, options.lora, "");  // throws if there can be none
  for (const std::string& target : options.lora.targets) {
    if (!has_target(model, target)) {
      throw UsageError("{} names {}, but the model has no such weights", FieldName("lora_targets"), target);
    }
  }
}

}  // namespace

const std::vector<std::string>& lora_target_names() {
  static const std::vector<std::string> names = {"query", "key", "value", "output", "up", "down", "gate", "all-linear"};
  return names;
}

bool is_lora_target(const LoraOptions& options, std::string_view name) {
  return std::ranges::any_of(options.targets, [&](const std::string& target) {
    for (const char* one : {"query", "key", "value", "output", "up", "down", "gate"}) {
      if (target != "all-linear" && target != one) continue;
      for (const char* part : {"attention", "cross_attention", "feed_forward"}) {
        if (!renamed(name, fmt::format("layers.*.{}.{}.weight", part, one), "*").empty()) return true;
      }
    }
    return false;
  });
}

double layer_rate(const ModelConfig& config, std::string_view name, double layer_decay) {
  const int64_t above = std::max<int64_t>(0, config.layers - 1 - height_of(config, name));
  return std::pow(layer_decay, static_cast<double>(above));
}

std::vector<TrainedParameter> trained_parameters(const Model& model, double layer_decay) {
  std::vector<TrainedParameter> trained;
  for (size_t i = 0; i < model.parameters().size(); ++i) {
    const auto& [name, parameter, role] = model.parameters()[i];
    if (!parameter.gradient.defined()) continue;
    trained.push_back({name, parameter, role, layer_rate(model.config(), model.table()[i].spec.name, layer_decay)});
  }
  return trained;
}

void freeze(Model& model, const StepOptions& options) {
  check_lora(model, options);
  if (options.freeze || options.lora.rank) {
    const std::optional<int64_t> lowest =
        options.freeze ? lowest_trained(model.config(), *options.freeze) : std::nullopt;
    const auto wanted = [&](const std::string& name) {
      if (!is_of_trunk(name)) return true;
      if (options.lora.rank) return is_lora_target(options.lora, name);
      return lowest && height_of(model.config(), name) >= *lowest;
    };
    const auto is_wanted = [&](const TableEntry& entry) { return wanted(entry.spec.name); };
    if (std::ranges::none_of(model.table(), is_wanted)) {
      throw UsageError("{} is {}, but the model has no head to train", FieldName("freeze"), quote(*options.freeze));
    }
    model.keep_gradients(wanted);
  }
  if (options.fgm_epsilon && !model.trunk().word_embeddings().gradient.defined()) {
    throw UsageError("{} moves the word embeddings along their gradient, but they are frozen",
                     FieldName("fgm_epsilon"));
  }
}

}  // namespace roformer
