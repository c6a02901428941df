#include "models/model.h"

#include <unistd.h>

#include <map>
#include <memory>

#include "base/error.h"
#include "base/file.h"
#include "checkpoint/directory_weights.h"
#include "models/names.h"

namespace roformer {

namespace {

// Position tables that are computed here, and what only pre-training needs.
const std::vector<std::string> kIgnored{"*embed_positions.weight", "*position_ids", "cls.seq_relationship.*",
                                        "*rotary_emb.inv_freq"};

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

// Other spellings of a name: without the trunk's prefix, LayerNorm.gamma/beta of old conversions, the output bias under
// either name.
std::vector<std::string> spellings(const std::string& name, const ModelConfig& config) {
  std::vector<std::string> names{name};
  if (name.ends_with("LayerNorm.weight")) names.push_back(name.substr(0, name.size() - 6) + "gamma");
  if (name.ends_with("LayerNorm.bias")) names.push_back(name.substr(0, name.size() - 4) + "beta");
  const std::string prefix = std::string(trunk_name(config.family)) + ".";
  for (size_t i = 0, count = names.size(); i < count; ++i) {
    if (names[i].starts_with(prefix)) names.push_back(names[i].substr(prefix.size()));
  }
  if (name == "cls.predictions.bias") names.emplace_back("cls.predictions.decoder.bias");
  if (name == "cls.predictions.decoder.bias") names.emplace_back("cls.predictions.bias");
  for (const char* words : {"embeddings.word_embeddings.weight", "embed_tokens.weight"}) {
    if (!config.tied || name != prefix + words) continue;
    names.push_back(name_in_files(config.family, "cls.predictions.decoder.weight"));
  }
  names.erase(names.begin());
  return names;
}

ClassifierShape classifier_shape(const ModelConfig& config) {
  const bool sequences = config.head == Head::sequence_classification, bert = config.family == Family::bert;
  const bool answers = config.head == Head::question_answering;
  ClassifierShape shape{.hidden = config.hidden,
                        .labels = config.head_outputs(),
                        .dense_name = {},
                        .output_name = answers ? "qa_outputs" : "classifier",
                        .dropout = answers ? 0 : config.classifier_dropout.value_or(config.hidden_dropout)};
  if (bert) return shape;
  if (sequences) {
    shape.dense = true;
    shape.activation = config.activation;
    shape.dense_name = "classifier.dense";
    shape.output_name = "classifier.out_proj";
  }
  if (config.head == Head::multiple_choice) {
    shape.dropout = 0;
    shape.dense = config.summary_projection.has_value();
    shape.activation = config.summary_projection.value_or(Activation::none);
    shape.dense_name = "sequence_summary.summary";
  }
  return shape;
}

template <class Real>
void fill_normal(const Tensor& x, double deviation, RandomStream random) {
  Generator generator(random);
  for (int64_t i = 0; i < x.elements(); ++i) x.data<Real>()[i] = static_cast<Real>(deviation * generator.normal());
}

}  // namespace

Model::Model(Backend& backend, const ModelConfig& config, bool trainable)
    : backend_(backend),
      config_(check_memory(config, trainable)),
      trainable_(trainable),
      encoder_(backend, config, trainable) {
  if (config.pooler) pooler_.emplace(backend, config.hidden, config.pooler_activation, trainable);
  if (config.is_language_model()) {
    mlm_head_.emplace(backend,
                      MlmHeadShape{.hidden = config.hidden,
                                   .width = config.embedding,
                                   .vocabulary = config.vocabulary,
                                   .activation = config.activation,
                                   .norm = config.norm_shape(),
                                   .plain = config.norm != NormKind::layer,
                                   .tied = config.tied},
                      trainable);
  } else if (config.head != Head::none) {
    classifier_.emplace(backend, classifier_shape(config), trainable);
  }
  collect_parameters();
  if (!trainable) encoder_.freeze();
}

void Model::visit(const ParameterVisitor& of_files) {
  const ParameterVisitor visitor = [&](const std::string& name, Parameter& parameter, ParameterRole role) {
    of_files(name_in_files(config_.family, name), parameter, role);
  };
  encoder_.visit(visitor);
  if (pooler_) pooler_->visit(trunk_name(config_.family), visitor);
  if (mlm_head_) mlm_head_->visit(visitor);
  if (classifier_) classifier_->visit(visitor);
}

void Model::collect_parameters() {
  parameters_.clear();
  visit([this](const std::string& name, Parameter& parameter, ParameterRole role) {
    parameters_.push_back({name, parameter, role});
  });
}

const MlmHead& Model::mlm_head() const {
  if (!mlm_head_) throw DataError("the model has no masked-LM head (architectures names none)");
  return *mlm_head_;
}

Value Model::pooled(const Context& context, const Value& hidden, const Batch& batch) const {
  if (!pooler_) throw DataError("the model has no pooler");
  return pooler_->forward(context, hidden, batch);
}

// One row a sequence, as the head of the config takes it.
Value Model::summarised(const Context& context, const Value& hidden, const Batch& batch) const {
  if (config_.family == Family::bert) return pooled(context, hidden, batch);
  const bool choice = config_.head == Head::multiple_choice;
  if (choice && config_.summary == Summary::mean) return pool(context, hidden, batch.offsets, Pooling::mean);
  const bool last = choice && config_.summary == Summary::last;
  const auto rows = std::make_shared<const std::vector<int32_t>>(
      token_rows(batch, last ? TokenOfSequence::last : TokenOfSequence::first));
  if (context.tape != nullptr) context.tape->keep(rows);
  return gather_rows(context, hidden, *rows);
}

Value Model::logits(const Context& context, const Value& hidden, const Batch& batch) const {
  if (mlm_head_) return mlm_head_->logits(context, hidden, encoder_.words());
  if (!classifier_) throw DataError("the model has no head (architectures names none)");
  const bool of_tokens = config_.head == Head::token_classification || config_.head == Head::question_answering;
  return classifier_->forward(context, of_tokens ? hidden : summarised(context, hidden, batch), encoder_.places());
}

void Model::initialise(RandomStream random) {
  if (!trainable_) encoder_.freeze();
  std::vector<uint64_t> numbers;  // of the streams
  constexpr uint64_t kPositions = uint64_t{1} << 32;
  for (uint64_t others = 0, positions = 0; const NamedParameter& named : parameters_) {
    const bool position = named.role == ParameterRole::position_weight || named.role == ParameterRole::position;
    numbers.push_back(position ? kPositions + positions++ : others++);
  }
  backend_.pool().run(static_cast<int64_t>(parameters_.size()), [&](int64_t i) {
    const NamedParameter& named = parameters_[static_cast<size_t>(i)];
    if (!decays(named.role)) return;
    const RandomStream stream = substream(random, numbers[static_cast<size_t>(i)]);
    if (backend_.real() == DType::float64) {
      fill_normal<double>(named.parameter.value, config_.initializer_range, stream);
    } else {
      fill_normal<float>(named.parameter.value, config_.initializer_range, stream);
    }
  });
}

void Model::load_weights(const StateDict& weights, const std::string& source, bool share) {
  CopyOptions options{.source = source, .allowed_extra = kIgnored, .allowed_missing = {}, .aliases = {}, .place = {}};
  // A trunk takes what it needs of a file that also has a head.
  if (!mlm_head_) options.allowed_extra.emplace_back(config_.family == Family::llama ? "lm_head.*" : "cls.*");
  if (!pooler_) options.allowed_extra.emplace_back("*pooler.dense.*");
  if (config_.head == Head::none) {
    for (const char* head : {"classifier.*", "qa_outputs.*", "sequence_summary.*"}) {
      options.allowed_extra.emplace_back(head);
    }
  }
  for (const NamedParameter& named : parameters_) options.aliases[named.name] = spellings(named.name, config_);

  std::map<std::string, Tensor> shared;
  std::vector<std::pair<Tensor, Tensor>> copies;
  std::map<std::string, bool> exchangeable;
  for (const NamedParameter& named : parameters_) exchangeable[named.name] = share && !named.parameter.part;
  options.place = [&](const std::string& name, const Tensor& from, const Tensor& to) {
    if (exchangeable.at(name) && from.dtype() == to.dtype() && from.contiguous()) {
      shared.emplace(name, from);
    } else {
      copies.emplace_back(from, to);
    }
  };
  copy_into(weights, this->weights(), options);
  backend_.pool().run(std::ssize(copies), [&](int64_t i) {
    const auto& [from, to] = copies[static_cast<size_t>(i)];
    copy_tensor(from, to);
  });
  visit([&](const std::string& name, Parameter& parameter, ParameterRole) {
    if (const auto found = shared.find(name); found != shared.end()) parameter.value = found->second;
  });
  collect_parameters();
  if (!trainable_) encoder_.freeze();
}

std::vector<std::pair<std::string, Tensor>> Model::weights() const {
  std::vector<std::pair<std::string, Tensor>> result;
  result.reserve(parameters_.size());
  for (const NamedParameter& named : parameters_) result.emplace_back(named.name, named.parameter.value);
  return result;
}

namespace {

// What config.json does not say, but the names in the file do.
void complete_from_names(ModelConfig& config, const StateDict& weights) {
  const std::string prefix = std::string(trunk_name(config.family)) + ".";
  const auto has = [&](const std::string& name) { return weights.contains(prefix + name) || weights.contains(name); };
  if (has("pooler.dense.weight")) config.pooler = true;
  if (config.norm == NormKind::rms && (has("embeddings.LayerNorm.weight") || has("embeddings.LayerNorm.gamma"))) {
    config.norm = NormKind::rms_with_gain;
  }
}

}  // namespace

Model load_model(const std::string& directory, Backend& backend, bool trainable,
                 std::vector<std::string>* unknown_keys) {
  ModelConfig config = read_config(join_path(model_directory(directory), "config.json"), unknown_keys);
  const auto [weights, source] = load_directory_weights(directory, kIgnored);
  complete_from_names(config, weights);
  // A config that claims far more than the file holds is refused before anything is allocated for it.
  int64_t present = 0;
  for (const auto& [name, tensor] : weights) present += tensor.elements();
  if (config.parameters() / 2 > present) {
    throw DataError("{}: holds {} numbers, but config.json describes a model of {}", source, present,
                    config.parameters());
  }
  Model model(backend, config, trainable);
  model.load_weights(weights, source, !trainable);
  return model;
}

}  // namespace roformer
