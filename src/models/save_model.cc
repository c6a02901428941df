#include "models/save_model.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "formats/safetensors.h"
#include "models/families/family.h"

namespace roformer {

namespace {

constexpr int64_t kMaxFileBytes = int64_t{1} << 28;

// config.json may have a different spelling and more keys.
bool describes_same_model(const std::string& config_path, const Json& config) {
  try {
    return write_config(read_config(config_path)) == config;
  } catch (const DataError&) {
    return false;
  }
}

}  // namespace

std::vector<std::pair<std::string, Tensor>> file_weights(const Model& model) {
  auto weights = model.weights();
  // transformers expects the bias of an untied decoder under both of its names.
  constexpr std::string_view kUsed = "cls.predictions.decoder.bias", kOther = "cls.predictions.bias";
  for (size_t i = 0; i < weights.size(); ++i) {
    if (!weights[i].first.ends_with(kUsed)) continue;
    std::string other = weights[i].first;
    other.replace(other.size() - kUsed.size(), kUsed.size(), kOther);
    weights.emplace_back(std::move(other), Tensor(weights[i].second));
    break;
  }
  const Family& family = *model.config().family;
  if (family.add_tensors != nullptr) family.add_tensors(model.config(), weights);
  return weights;
}

void save_model(const Model& model, const std::map<std::string, std::string>& files, const std::string& directory) {
  if (directory.empty()) throw UsageError("the name of the output directory is empty");
  const auto refuse = [&](const std::string& name) {
    throw FileError("{}: holds the {} of another model; choose another directory", FilePath(directory), name);
  };
  if (exists(join_path(directory, "training/settings.json"))) {
    throw FileError("{}: holds a training run; choose another directory", FilePath(directory));
  }
  const Json config = write_config(model.config());
  const std::string config_path = join_path(directory, "config.json");
  const bool known = exists(config_path);
  if (known && !describes_same_model(config_path, config)) refuse("config.json");
  if (!known && exists(join_path(directory, "model.safetensors"))) refuse("model.safetensors");
  for (const auto& [name, content] : files) {
    const std::string path = join_path(directory, name);
    if (exists(path) && read_file(path, kMaxFileBytes) != content) refuse(name);
  }
  make_directories(directory);
  if (!known) write_file_atomically(config_path, config.dump(2) + "\n");
  for (const auto& [name, content] : files) {
    const std::string path = join_path(directory, name);
    if (!exists(path)) write_file_atomically(path, content);
  }
  write_safetensors(join_path(directory, "model.safetensors"), file_weights(model), {{"format", "pt"}});
}

}  // namespace roformer
