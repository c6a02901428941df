#include "models/model.h"

#include <unistd.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "base/error.h"
#include "models/families/family.h"

namespace roformer {

namespace {

int64_t count_elements(const ParameterTable& table) {
  int64_t elements = 0;
  for (const TableEntry& entry : table) elements += entry.spec.shape.elements();
  return elements;
}

// Rejects a model that does not fit into memory, before the OOM killer does.
void check_memory(const ParameterTable& declared, bool trainable) {
  const auto elements = static_cast<double>(count_elements(declared));
  const double needed = elements * 4 * (trainable ? 2 : 1);
  const double present = static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGESIZE));
  if (needed > present) {
    throw DataError("a model of {:.0f} parameters needs {:.1f} GB, this machine has {:.1f} GB", elements, needed / 1e9,
                    present / 1e9);
  }
}

struct ClassifierPlace {
  const char* name;
  ClassifierConfig shape;
};

ClassifierPlace classifier_of(const ModelConfig& config) {
  ClassifierConfig shape{.hidden = config.hidden,
                         .labels = config.head_outputs(),
                         .dropout = config.classifier_dropout.value_or(config.hidden_dropout)};
  switch (config.head) {
    case Head::question_answering: shape.dropout = 0; return {"answers", shape};
    case Head::multiple_choice:
      if (config.summary == Summary::pooler) return {"choice", shape};
      shape.dropout = 0;
      shape.dense = config.summary_projection.has_value();
      shape.activation = config.summary_projection.value_or(Activation::none);
      return {"choice", shape};
    case Head::sequence_classification:
      if (!config.classifier_dense) return {"labels", shape};
      shape.dense = true;
      shape.activation = config.activation;
      return {"sequence_labels", shape};
    default: return {"labels", shape};
  }
}

NewParameters new_parameters(Backend& backend, const ModelConfig& config, bool trainable) {
  const ParameterTable declared = declared_parameters(config);
  check_memory(declared, trainable);
  return NewParameters(backend, trainable, &declared);
}

template <class Real>
void fill_normal(const Tensor& x, double deviation, RandomStream random) {
  Generator generator(random);
  for (int64_t i = 0; i < x.elements(); ++i) x.data<Real>()[i] = static_cast<Real>(deviation * generator.normal());
}

}  // namespace

ModelLayers::ModelLayers(const Scope& scope, const ModelConfig& config) : trunk(scope, config) {
  if (config.encoder != nullptr) {
    encoder.emplace(scope / "encoder", *config.encoder, config.shared_words ? &trunk.word_embeddings() : nullptr);
  }
  if (config.pooler) pooler.emplace(scope / "pooler", config.hidden, config.pooler_activation);
  if (config.is_language_model()) {
    mlm_head.emplace(scope / "head", MlmHeadConfig{.hidden = config.hidden,
                                                   .width = config.embedding,
                                                   .vocabulary = config.vocabulary,
                                                   .activation = config.activation,
                                                   .norm = config.norm_config(),
                                                   .plain = !config.head_transform,
                                                   .biased = config.head_transform || config.output_bias,
                                                   .tied = config.tied,
                                                   .logit_cap = config.logit_cap});
  } else if (config.head != Head::none) {
    const auto [name, shape] = classifier_of(config);
    classifier.emplace(scope / name, shape);
  }
}

namespace {

// The parameters of a model, with new gradients where a part of them is wanted.
class KeptParameters final : public NewParameters {
 public:
  KeptParameters(Backend& backend, const ParameterTable& table, const std::function<bool(const std::string&)>& wanted)
      : NewParameters(backend, true), wanted_(wanted) {
    for (const TableEntry& entry : table) values_.emplace(entry.spec.name, entry.parameter.value);
  }

 protected:
  Parameter provide(std::span<const ParameterSpec> parts, const Initializer&) override {
    const Shape shape = joined_shape(parts);
    const bool any = std::ranges::any_of(parts, [&](const ParameterSpec& part) { return wanted_(part.name); });
    return {whole(values_.at(parts.front().name), shape), any ? gradient(shape) : Tensor()};
  }

 private:
  // The tensor of which `first` is the first rows.
  static Tensor whole(const Tensor& first, const Shape& shape) {
    const auto owner = std::make_shared<const Tensor>(first);
    return {std::shared_ptr<void>(owner, first.address_on(first.device())), first.dtype(), shape, 0, first.device()};
  }

  std::map<std::string, Tensor> values_;
  const std::function<bool(const std::string&)>& wanted_;
};

}  // namespace

Model::Model(Backend& backend, const ModelConfig& config, ParameterSource&& source, bool trainable)
    : backend_(backend), config_(config), trainable_(trainable), layers_(Scope{source}, config) {
  if (trainable && (backend.precision() == Precision::int8 || backend.precision() == Precision::int4)) {
    throw UsageError("{} is {}, expected float32 or bfloat16: {} is for inference, not for training",
                     FieldName("dtype"), precision_name(backend.precision()), precision_name(backend.precision()));
  }
  take_table(std::move(source));
}

void Model::take_table(ParameterSource&& source) {
  table_ = source.take_table();
  parameters_.clear();
  for (const auto& [spec, parameter] : table_) {
    const TensorRule& rule = rule_of(*config_.family, spec.name);
    const bool whole = rule.arrangement == Arrangement::whole;
    parameters_.push_back({whole ? name_in_files(*config_.family, spec.name) : spec.name, parameter, spec.role});
  }
}

void Model::keep_gradients(const std::function<bool(const std::string& name)>& wanted) {
  if (!trainable_) throw ShapeError("a model that is not trainable has no gradients");
  KeptParameters source(backend_, table_, wanted);
  layers_ = ModelLayers(Scope{source}, config_);
  take_table(std::move(source));
  for (size_t i = 0; i < table_.size(); ++i) {
    if (wanted(table_[i].spec.name)) continue;
    table_[i].parameter.gradient = parameters_[i].parameter.gradient = Tensor();
  }
}

Model::Model(Backend& backend, const ModelConfig& config, bool trainable)
    : Model(backend, config, new_parameters(backend, config, trainable), trainable) {}

Model::Model(Backend& backend, const ModelConfig& config, const LoadingPlan& plan, bool trainable)
    : Model(backend, config, LoadedParameters(backend, trainable, plan), trainable) {}

void refuse_head(const ModelConfig& config, const std::string& problem) {
  if (!config.missing_head.empty()) throw DataError("{}: {}", problem, config.missing_head);
  throw DataError("{}: neither '{}' of config.json nor the tensors name one", problem, KeyName("architectures"));
}

const TransformerStack& Model::encoder() const {
  if (!layers_.encoder) throw DataError("the model is not an encoder-decoder, it cannot translate");
  return *layers_.encoder;
}

const MlmHead& Model::mlm_head() const {
  if (!layers_.mlm_head) refuse_head(config_, "the model has no language-model head");
  return *layers_.mlm_head;
}

namespace {

// The rows of a layer's weight that form a parameter of the table.
struct Rows {
  Parameter* weight;
  int64_t begin = 0;
};

std::optional<Rows> find_rows(std::span<Parameter* const> weights, const Tensor& part) {
  const auto* const at = static_cast<const char*>(part.address_on(part.device()));
  for (Parameter* weight : weights) {
    const Tensor& whole = weight->value;
    const auto* const begin = static_cast<const char*>(whole.address_on(whole.device()));
    if (at < begin || at >= begin + whole.bytes()) continue;
    return Rows{weight, (at - begin) / (whole.row_stride() * dtype_size(whole.dtype()))};
  }
  return std::nullopt;
}

}  // namespace

void Model::prepare() {
  if (trainable_) throw ShapeError("a trainable model cannot be prepared for inference");
  if (backend_.precision() == Precision::int4 && layers_.trunk.pass_size() != PassSize::decoding) {
    throw UsageError("{} is int4, which is for decoders such as Llama; a {} with {} {} takes int8", FieldName("dtype"),
                     config_.family->name, config_.head == Head::none ? "no" : "a",
                     config_.head == Head::none ? "head" : head_name(config_.head));
  }
  if (std::exchange(prepared_, true)) return;
  std::vector<Parameter*> trunk, heads;
  std::vector<Parameter*> encoder;
  layers_.trunk.linear_weights(trunk);
  if (layers_.encoder) layers_.encoder->linear_weights(encoder);
  if (layers_.pooler) layers_.pooler->linear_weights(heads);
  if (layers_.mlm_head) layers_.mlm_head->linear_weights(heads);
  if (layers_.classifier) layers_.classifier->linear_weights(heads);
  std::vector<Parameter*> all = trunk;
  all.insert(all.end(), encoder.begin(), encoder.end());
  all.insert(all.end(), heads.begin(), heads.end());
  Parameter& words = layers_.trunk.word_embeddings();
  all.push_back(&words);
  // The table's references are dropped first, so that each original is freed as soon as it is converted.
  std::vector<std::optional<Rows>> rows;
  for (size_t i = 0; i < table_.size(); ++i) {
    rows.push_back(find_rows(all, table_[i].parameter.value));
    if (rows.back()) table_[i].parameter.value = parameters_[i].parameter.value = Tensor();
  }
  prepare_weights(backend_, trunk, layers_.trunk.pass_size());
  if (layers_.encoder) prepare_weights(backend_, encoder, layers_.encoder->pass_size());
  const bool decodes = layers_.trunk.pass_size() == PassSize::decoding;
  const PassSize of_head = layers_.encoder ? PassSize::many_tokens
                           : decodes       ? PassSize::decoding
                                           : PassSize::few_tokens;
  prepare_weights(backend_, heads, of_head);
  if (config_.is_language_model() && config_.tied) prepare_table(backend_, words, of_head);
  for (size_t i = 0; i < table_.size(); ++i) {
    if (!rows[i]) continue;
    const Tensor& whole = rows[i]->weight->value;
    Parameter& parameter = table_[i].parameter;
    if (whole.defined()) parameter.value = whole.row_range(rows[i]->begin, table_[i].spec.shape[0]);
    parameter.prepared = rows[i]->weight->prepared;
    parameters_[i].parameter = parameter;
  }
  layers_.trunk.fuse(backend_);
  if (layers_.encoder) layers_.encoder->fuse(backend_);
}

int64_t Model::weight_bytes() const {
  int64_t bytes = 0;
  std::set<const PreparedWeight*> counted{nullptr};
  for (const auto& [spec, parameter] : table_) {
    if (parameter.value.defined()) bytes += parameter.value.bytes();
    if (counted.insert(parameter.prepared.get()).second) bytes += parameter.prepared->bytes();
  }
  return bytes;
}

Value Model::pooled(const Context& context, const Value& hidden, const Batch& batch) const {
  if (!layers_.pooler) throw DataError("the model has no pooler");
  return layers_.pooler->forward(context, hidden, batch);
}

// One row per sequence, as input of the config's head.
Value Model::summarized(const Context& context, const Value& hidden, const Batch& batch) const {
  if (config_.summary == Summary::pooler) return pooled(context, hidden, batch);
  if (config_.summary == Summary::mean) return pool(context, hidden, batch.offsets, Pooling::mean);
  const bool last = config_.summary == Summary::last;
  return gather_rows(context, hidden, token_rows(batch, last ? TokenOfSequence::last : TokenOfSequence::first));
}

Value Model::logits(const Context& context, const Value& hidden, const Batch& batch) const {
  if (layers_.mlm_head) return layers_.mlm_head->logits(context, hidden, layers_.trunk.word_embeddings());
  if (!layers_.classifier) refuse_head(config_, "the model has no head");
  const bool of_tokens = config_.head == Head::token_classification || config_.head == Head::question_answering;
  return layers_.classifier->forward(context, of_tokens ? hidden : summarized(context, hidden, batch),
                                     layers_.trunk.dropout_sites());
}

void Model::initialize(RandomStream random, const LoadingPlan* loaded) {
  std::vector<uint64_t> streams;
  constexpr uint64_t kPositions = uint64_t{1} << 32;
  for (uint64_t others = 0, positions = 0; const NamedParameter& named : parameters_) {
    const bool position = named.role == ParameterRole::position_weight || named.role == ParameterRole::position;
    streams.push_back(position ? kPositions + positions++ : others++);
  }
  backend_.pool().run(static_cast<int64_t>(parameters_.size()), [&](int64_t i) {
    const NamedParameter& named = parameters_[static_cast<size_t>(i)];
    if (!decays(named.role) || (loaded != nullptr && loaded->holds(static_cast<size_t>(i)))) return;
    const RandomStream stream = substream(random, streams[static_cast<size_t>(i)]);
    backend_.write(named.parameter.value, [&](const Tensor& host) {
      if (host.dtype() == DType::float64) {
        fill_normal<double>(host, config_.initializer_range, stream);
      } else {
        fill_normal<float>(host, config_.initializer_range, stream);
      }
    });
  });
}

void Model::load_weights(const StateDict& weights, const std::string& source) {
  load_weights(LoadingPlan(config_, available(weights), source));
}

void Model::load_weights(const LoadingPlan& plan) {
  if (prepared_) throw ShapeError("the weights of a prepared model cannot be loaded again");
  backend_.pool().run(std::ssize(table_), [&](int64_t i) {
    const auto at = static_cast<size_t>(i);
    if (!plan.holds(at)) return;
    backend_.write(table_[at].parameter.value, [&](const Tensor& host) { plan.fill(at, host); });
  });
}

std::vector<std::pair<std::string, Tensor>> Model::weights() const { return file_tensors(backend_, config_, table_); }

int64_t ModelConfig::parameters() const { return count_elements(declared_parameters(*this)); }

ParameterTable declared_parameters(const ModelConfig& config) {
  DeclaredParameters source;
  const ModelLayers layers(Scope{source}, config);
  return source.take_table();
}

PlannedModel plan_model(FoundModel found) {
  // Gives a one-line error if the config describes far more than the file holds.
  int64_t present = 0;
  for (const AvailableTensor& tensor : found.tensors) {
    if (!tensor.readable && !our_name(*found.config.family, tensor.name).empty()) tensor.read();  // throws
    if (tensor.readable) present += tensor.shape.elements();
  }
  if (found.config.parameters() / 2 > present) {
    throw DataError("{}: holds {} parameters, but config.json describes a model of {}", FilePath(found.source), present,
                    found.config.parameters());
  }
  LoadingPlan plan(found.config, std::move(found.tensors), found.source);
  note_unused(plan, found.notes);
  return {std::move(found.config), std::move(plan), std::move(found.notes)};
}

PlannedModel plan_model(const std::string& directory) { return plan_model(find_model(directory)); }

namespace {

// Groups of 32 numbers hold those of these types as they are, or, of floating-point numbers, are rounded as asked.
constexpr std::string_view kExactInInt8[] = {"F32", "F16", "BF16", "Q8_0", "Q4_0", "Q5_0"};
constexpr std::string_view kExactInInt4[] = {"F32", "F16", "BF16", "Q4_0", "Q4_1", "Q8_0", "Q5_0"};

// A file of other integers would be rounded twice: in int8 that is said, in int4 refused.
void check_integers(const FoundModel& found, Precision precision, std::vector<std::string>& warnings) {
  if (precision != Precision::int8 && precision != Precision::int4) return;
  const std::span<const std::string_view> exact =
      precision == Precision::int8 ? std::span<const std::string_view>(kExactInInt8) : kExactInInt4;
  const auto rounded = std::ranges::find_if(found.tensors, [&](const AvailableTensor& tensor) {
    return tensor.stored_numbers.starts_with('Q') && std::ranges::find(exact, tensor.stored_numbers) == exact.end();
  });
  if (rounded == found.tensors.end()) return;
  if (precision == Precision::int4) {
    throw DataError("{}: {} is in {}, which groups of 32 int4 numbers cannot hold; take {} int8 or float32",
                    FilePath(found.source), TensorName(rounded->stored_name), rounded->stored_numbers,
                    FieldName("dtype"));
  }
  warnings.push_back(fmt::format("{}: numbers in {} are rounded to int8, \"{}\" among them", found.source,
                                 rounded->stored_numbers, rounded->stored_name));
}

}  // namespace

Model load_model(const std::string& directory, Backend& backend, bool trainable, LoadNotes* notes) {
  FoundModel found = find_model(directory);
  check_integers(found, backend.precision(), found.notes.warnings);
  PlannedModel planned = plan_model(std::move(found));
  if (notes != nullptr) *notes = std::move(planned.notes);
  return Model(backend, planned.config, planned.plan, trainable);
}

Model build_model(Backend& backend, const ModelConfig& config, const StateDict& weights, const std::string& source) {
  return Model(backend, config, LoadingPlan(config, available(weights), source), false);
}

}  // namespace roformer
