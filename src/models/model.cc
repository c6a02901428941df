#include "models/model.h"

#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "checkpoint/directory_weights.h"

namespace roformer {

namespace {

const std::vector<std::string> kIgnored{"*embed_positions.weight", "*position_ids", "roformer.pooler.*"};

// Refuses a model that cannot fit before the kernel kills us for touching its pages.
const ModelConfig& check_memory(const ModelConfig& config, bool trainable) {
  const double needed = static_cast<double>(config.parameters()) * 4 * (trainable ? 2 : 1);
  const double present = static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGESIZE));
  if (needed > present) {
    throw DataError("a model of {} parameters needs {:.1f} GB, this machine has {:.1f} GB", config.parameters(),
                    needed / 1e9, present / 1e9);
  }
  return config;
}

bool ends_with(const std::string& text, const std::string& end) { return text.ends_with(end); }

// Other spellings of a name: without the "roformer." prefix, LayerNorm.gamma/beta of old conversions.
std::vector<std::string> spellings(const std::string& name) {
  std::vector<std::string> names{name};
  if (ends_with(name, "LayerNorm.weight")) names.push_back(name.substr(0, name.size() - 6) + "gamma");
  if (ends_with(name, "LayerNorm.bias")) names.push_back(name.substr(0, name.size() - 4) + "beta");
  const std::string prefix = "roformer.";
  for (size_t i = 0, count = names.size(); i < count; ++i) {
    if (names[i].starts_with(prefix)) names.push_back(names[i].substr(prefix.size()));
  }
  if (name == "cls.predictions.bias") names.push_back("cls.predictions.decoder.bias");
  if (name == "roformer.embeddings.word_embeddings.weight") names.push_back("cls.predictions.decoder.weight");
  names.erase(names.begin());
  return names;
}

template <class Real>
void fill_normal(const Tensor& x, double deviation, RandomStream random) {
  Generator generator(random);
  for (int64_t i = 0; i < x.elements(); ++i) x.data<Real>()[i] = static_cast<Real>(deviation * generator.normal());
}

}  // namespace

Model::Model(Backend& backend, const ModelConfig& config, bool trainable)
    : backend_(backend), config_(check_memory(config, trainable)), encoder_(backend, config, trainable) {
  if (config.head == Head::masked_lm) {
    mlm_head_.emplace(backend, config.hidden, config.embedding, config.vocabulary, config.activation,
                      config.norm_epsilon, trainable);
  }
  const auto collect = [this](const std::string& name, const Parameter& parameter, ParameterRole role) {
    parameters_.push_back({name, parameter, role});
  };
  encoder_.visit(collect);
  if (mlm_head_) mlm_head_->visit(collect);
}

const MlmHead& Model::mlm_head() const {
  if (!mlm_head_) throw DataError("the model has no masked-LM head (architectures names none)");
  return *mlm_head_;
}

void Model::initialise(RandomStream random) {
  backend_.pool().run(static_cast<int64_t>(parameters_.size()), [&](int64_t i) {
    const NamedParameter& named = parameters_[static_cast<size_t>(i)];
    if (named.role != ParameterRole::weight && named.role != ParameterRole::embedding) return;
    const RandomStream stream = substream(random, static_cast<uint64_t>(i));
    if (backend_.real() == DType::float64) {
      fill_normal<double>(named.parameter.value, config_.initializer_range, stream);
    } else {
      fill_normal<float>(named.parameter.value, config_.initializer_range, stream);
    }
  });
}

void Model::load_weights(const StateDict& weights, const std::string& source) {
  CopyOptions options{.source = source, .allowed_extra = kIgnored, .allowed_missing = {}, .aliases = {}};
  // A trunk takes what it needs of a file that also has a head.
  if (!mlm_head_) options.allowed_extra.push_back("cls.*");
  for (const NamedParameter& named : parameters_) options.aliases[named.name] = spellings(named.name);
  copy_into(weights, this->weights(), options);
}

std::vector<std::pair<std::string, Tensor>> Model::weights() const {
  std::vector<std::pair<std::string, Tensor>> result;
  result.reserve(parameters_.size());
  for (const NamedParameter& named : parameters_) result.emplace_back(named.name, named.parameter.value);
  return result;
}

Model load_model(const std::string& directory, Backend& backend, bool trainable,
                 std::vector<std::string>* unknown_keys) {
  const ModelConfig config = read_config(join_path(model_directory(directory), "config.json"), unknown_keys);
  const auto [weights, source] = load_directory_weights(directory, kIgnored);
  // A config that claims far more than the file holds is refused before anything is allocated for it.
  int64_t present = 0;
  for (const auto& [name, tensor] : weights) present += tensor.elements();
  if (config.parameters() / 2 > present) {
    throw DataError("{}: holds {} numbers, but config.json describes a model of {}", source, present,
                    config.parameters());
  }
  Model model(backend, config, trainable);
  model.load_weights(weights, source);
  return model;
}

}  // namespace roformer
