// Model: a trunk with optional pooler and head, and their weights; loading from a model directory (config.json and
// weights under the ecosystem's names).
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "formats/state_dict.h"
#include "models/found_model.h"
#include "models/loading_plan.h"
#include "models/transformer_stack.h"
#include "nn/heads.h"
#include "nn/mlm_head.h"

namespace roformer {

struct NamedParameter {
  std::string name;  // as in the family's files; this project's own if combined with others there
  Parameter parameter;
  ParameterRole role;
};

// The trunk with optional encoder, pooler and head.
struct ModelLayers {
  // Parameters are below "pooler", "head" (language models), "answers", "choice", "labels" or "sequence_labels", and
  // those of TransformerStack; of an encoder-decoder's encoder below "encoder".
  ModelLayers(const Scope& scope, const ModelConfig& config);

  TransformerStack trunk;
  std::optional<TransformerStack> encoder;
  std::optional<Pooler> pooler;
  std::optional<MlmHead> mlm_head;
  std::optional<Classifier> classifier;
};

class Model {
 public:
  // Zero weights, unit norm gains. The backend must outlive the model. Parameters have gradients if `trainable`.
  // DataError if it exceeds the machine's memory, UsageError for training in int8.
  Model(Backend& backend, const ModelConfig& config, bool trainable);
  // Weights from `plan`, which was made for this config. Unless trainable, the model shares the mapped file's memory
  // where types allow, including 16-bit weights if the backend supports them; it must not be written to.
  Model(Backend& backend, const ModelConfig& config, const LoadingPlan& plan, bool trainable);

  const ModelConfig& config() const { return config_; }
  Backend& backend() const { return backend_; }
  const TransformerStack& trunk() const { return layers_.trunk; }
  // Of an encoder-decoder, whose trunk is the decoder; DataError if it is none.
  const TransformerStack& encoder() const;
  const MlmHead& mlm_head() const;  // of masked and causal language models; DataError if there is none

  bool has_pooler() const { return layers_.pooler.has_value(); }
  // hidden [T, H] of `batch` → [sequences, H]. DataError if the model has no pooler, or for an empty sequence.
  Value pooled(const Context& context, const Value& hidden, const Batch& batch) const;
  // The head's logits: [T, V] of a language model, [T, labels] of token classification, [T, 2] (start, end) of question
  // answering, [sequences, labels] of sequence classification, [sequences, 1] of multiple choice (each choice with its
  // question is a sequence). DataError if the model has no head, or for an empty sequence with a per-sequence head.
  // Note: RoFormer's multiple choice pools the last token ("summary_type"), which in transformers may be padding;
  // compare unpadded inputs only.
  Value logits(const Context& context, const Value& hidden, const Batch& batch) const;
  // The order of parameters() defines their indices; table() has the same order, with this project's names.
  const std::vector<NamedParameter>& parameters() const { return parameters_; }
  const ParameterTable& table() const { return table_; }

  // Prepares an inference-only model, once: weights are converted to the backend's layout and the originals released.
  // Parameters then have no values, and load_weights is an error. Results are the same without it, but slower.
  void prepare();
  int64_t weight_bytes() const;  // of all weights, mapped ones included

  // Drops the gradients of a trainable model's parameters that are not `wanted`, by this project's names; the others
  // become zero. What is not wanted is not computed, except within a matrix of which a part is. Parameters and layers
  // are replaced by others of the same values.
  void keep_gradients(const std::function<bool(const std::string& name)>& wanted);

  // Normal(0, initializer_range) for weights, 0 for all biases, 1 for norm gains; not for what `loaded`, a plan made
  // for this config, holds. A parameter's values do not depend on which others are set.
  void initialize(RandomStream random, const LoadingPlan* loaded = nullptr);

  // Copies weights into the parameters of a model that owns its memory, by the rules of load_model(). One DataError
  // lists all mismatches before anything is copied.
  void load_weights(const StateDict& weights, const std::string& source);
  // The same from a plan, which was made for this config; parameters that it does not hold stay as they are.
  void load_weights(const LoadingPlan& plan);
  // The tensors of a file of the family, on the host; views if the file's tensor is a single parameter and the backend
  // computes on the host.
  std::vector<std::pair<std::string, Tensor>> weights() const;

 private:
  Model(Backend& backend, const ModelConfig& config, ParameterSource&& source, bool trainable);

  Backend& backend_;
  ModelConfig config_;
  bool trainable_, prepared_ = false;
  ModelLayers layers_;
  void take_table(ParameterSource&& source);
  Value summarized(const Context& context, const Value& hidden, const Batch& batch) const;
  ParameterTable table_;
  std::vector<NamedParameter> parameters_;
};

// For a head that a task needs and the config does not have: a DataError that begins with `problem` and says why.
[[noreturn]] void refuse_head(const ModelConfig& config, const std::string& problem);

// The content of a model directory, checked as by load_model, without reading any weights but output weights that may
// be tied and embeddings that are shared. Errors as of load_model.
struct PlannedModel {
  ModelConfig config;
  LoadingPlan plan;
  LoadNotes notes;
};
PlannedModel plan_model(FoundModel found);
PlannedModel plan_model(const std::string& directory);

// Reads config.json and the weights of a directory (formats/directory_weights.h), which may also be given as one of its
// weights files. Shapes are checked before allocation. A model that is not trainable shares the mapped file: its
// parameters must not be written to.
Model load_model(const std::string& directory, Backend& backend, bool trainable = false, LoadNotes* notes = nullptr);

// A model from tensors in memory, by the same rules, sharing them where possible. `source` names them in messages.
Model build_model(Backend& backend, const ModelConfig& config, const StateDict& weights, const std::string& source);

}  // namespace roformer
