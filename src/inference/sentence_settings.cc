#include "inference/sentence_settings.h"

#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"

namespace roformer {

namespace {

// A module's folder, directly in the model directory: "1_Pooling".
std::string module_folder(const JsonObject& module) {
  std::string path = module.get_string("path", std::nullopt);
  const bool plain = !path.empty() && path[0] != '.' && path.find_first_of("/\\") == std::string::npos &&
                     path.find('\0') == std::string::npos;
  if (!plain) module.reject("path", "the name of a folder");
  return path;
}

// The enabled modes of a pooling module, whose vectors would be concatenated.
std::vector<std::string> pooling_modes(const JsonObject& config) {
  if (config.has("pooling_mode")) return {config.get_string("pooling_mode", std::nullopt)};
  constexpr std::pair<const char*, const char*> kSwitches[] = {
      {"pooling_mode_cls_token", "cls"},
      {"pooling_mode_mean_tokens", "mean"},
      {"pooling_mode_max_tokens", "max"},
      {"pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len"},
      {"pooling_mode_weightedmean_tokens", "weightedmean"},
      {"pooling_mode_lasttoken", "lasttoken"},
  };
  std::vector<std::string> modes;
  for (const auto& [key, mode] : kSwitches) {
    if (config.get_bool(key, false)) modes.emplace_back(mode);
  }
  return modes;
}

void read_pooling(const std::string& path, SentenceSettings& settings) {
  const JsonObject config = JsonObject::read(path);
  const std::vector<std::string> modes = pooling_modes(config);
  if (modes.size() != 1) {
    settings.unsupported = fmt::format("{}: {} kinds of pooling, expected one", path, modes.size());
  } else if (modes[0] == "cls") {
    settings.pooling = TextPooling::cls;
  } else if (modes[0] == "mean") {
    settings.pooling = TextPooling::mean;
  } else if (modes[0] == "max") {
    settings.pooling = TextPooling::max;
  } else {
    settings.unsupported =
        fmt::format("{}: pooling {} is not supported, only cls, mean and max", path, quote(modes[0]));
  }
}

}  // namespace

SentenceVectors sentence_vectors(const SentenceChoice& choice, const SentenceSettings& settings, const Model& model) {
  if (!choice.pooling && !settings.unsupported.empty()) {
    throw DataError("{} ({} overrules it)", settings.unsupported, FieldName("pooling"));
  }
  const TextPooling pooling =
      choice.pooling ? *choice.pooling : settings.pooling.value_or(default_pooling(model.config()));
  if (pooling == TextPooling::pooler && !model.has_pooler()) {
    throw DataError("the model has no pooler, expected {} cls, mean or max", FieldName("pooling"));
  }
  return {.embed = {.pooling = pooling, .normalize = choice.normalize.value_or(settings.normalize)},
          .max_length = choice.max_length.value_or(settings.max_length.value_or(0))};
}

SentenceSettings read_sentence_settings(const std::string& directory) {
  SentenceSettings settings;
  const std::string path = join_path(directory, "modules.json");
  const std::string length_path = join_path(directory, "sentence_bert_config.json");
  constexpr int64_t kLongest = int64_t{1} << 30;
  if (exists(length_path)) {
    const JsonObject config = JsonObject::read(length_path);
    if (config.has("max_seq_length")) settings.max_length = config.get_int("max_seq_length", std::nullopt, 3, kLongest);
  }
  if (!exists(path)) return settings;
  constexpr int64_t kMaxBytes = 1 << 20;
  const Json modules = parse_json(read_file(path, kMaxBytes), path, {}, path);
  if (!modules.is_array()) throw DataError("{}: expected a list of modules", FilePath(path));
  for (size_t i = 0; i < modules.size(); ++i) {
    const JsonObject module(modules[i], fmt::format("{}: [{}]", path, i));
    const std::string type = module.get_string("type", std::nullopt);
    const std::string_view name = std::string_view(type).substr(type.rfind('.') + 1);  // of a Python class
    if (name == "Pooling") {
      read_pooling(join_path(join_path(directory, module_folder(module)), "config.json"), settings);
    } else if (name == "Normalize") {
      settings.normalize = true;
    } else if (name != "Transformer") {
      settings.unsupported = fmt::format("{}: the module {} is not supported", path, quote(type));
    }
  }
  return settings;
}

}  // namespace roformer
