// Model: a trunk, its pooler and the head its config names, with their weights; how it comes from a model directory
// (config.json and weights under the ecosystem's names).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "formats/state_dict.h"
#include "models/loading_plan.h"
#include "models/transformer_stack.h"
#include "nn/heads.h"
#include "nn/mlm_head.h"

namespace roformer {

struct NamedParameter {
  std::string name;  // as the family's files have it; where these have several in one tensor, this project's own
  Parameter parameter;
  ParameterRole role;
};

// The trunk, its pooler and its head.
struct ModelLayers {
  // Their parameters are below "pooler", "head" (of language models), "answers", "choice", "labels" or
  // "sequence_labels", and those that TransformerStack says.
  ModelLayers(const Scope& scope, const ModelConfig& config);

  TransformerStack encoder;
  std::optional<Pooler> pooler;
  std::optional<MlmHead> mlm_head;
  std::optional<Classifier> classifier;
};

class Model {
 public:
  // Zero weights, unit norm gains. The backend must outlive the model. Parameters have gradients if `trainable`.
  // DataError if this machine's memory cannot hold it, UsageError if it is to be trained in int8.
  Model(Backend& backend, const ModelConfig& config, bool trainable);
  // The weights that `plan` says, which was made for this config. Unless it is trainable, the model shares the memory
  // of what it was loaded from (a mapped file) where that fits, also in 16 bits where its backend reads them: it must
  // not be written to.
  Model(Backend& backend, const ModelConfig& config, const LoadingPlan& plan, bool trainable);

  const ModelConfig& config() const { return config_; }
  Backend& backend() const { return backend_; }
  const TransformerStack& encoder() const { return layers_.encoder; }
  const MlmHead& mlm_head() const;  // of masked and causal language models; DataError if the model has none

  bool has_pooler() const { return layers_.pooler.has_value(); }
  // hidden [T, H] of `batch` → [sequences, H]. DataError if the model has no pooler, or for an empty sequence.
  Value pooled(const Context& context, const Value& hidden, const Batch& batch) const;
  // The head's scores: [T, V] of a language model, [T, labels] of token classification, [T, 2] (start, end) of question
  // answering, [sequences, labels] of sequence classification, [sequences, 1] of multiple choice (each choice with its
  // question is a sequence). DataError if the model has no head, or for an empty sequence where a sequence has one
  // score. Trap: RoFormer's multiple choice takes the last token ("summary_type") — also transformers', where in a
  // padded batch that may be padding; here there is none, so only unpadded inputs compare.
  Value logits(const Context& context, const Value& hidden, const Batch& batch) const;
  // Everything that goes over the parameters counts by their place here; so does table(), which has their own names.
  const std::vector<NamedParameter>& parameters() const { return parameters_; }
  const ParameterTable& table() const { return table_; }

  // Readies a model that will only be run from now on, once: each weight is kept as its backend multiplies it, and rows
  // that something was made of are let go of. Their parameters have no values then, and load_weights is an error.
  // Without it passes give the same, slower.
  void prepare();
  int64_t weight_bytes() const;  // that all weights take, those of a mapped file included

  // Normal(0, initializer_range) for weights, 0 for biases and norm biases, 1 for norm gains.
  void initialize(RandomStream random);

  // Copies weights into the parameters of a model whose memory is its own; else as load_model() takes them. One
  // DataError lists all that does not fit; then nothing has been copied.
  void load_weights(const StateDict& weights, const std::string& source);
  // What a file of the family holds, on the host; views where a parameter is a tensor of its own there and the backend
  // computes on the host.
  std::vector<std::pair<std::string, Tensor>> weights() const;

 private:
  Model(Backend& backend, const ModelConfig& config, ParameterSource&& source, bool trainable);

  Backend& backend_;
  ModelConfig config_;
  bool trainable_, prepared_ = false;
  ModelLayers layers_;
  Value summarized(const Context& context, const Value& hidden, const Batch& batch) const;
  ParameterTable table_;
  std::vector<NamedParameter> parameters_;
};

// What a model directory says, checked as load_model checks it; no number is read. Errors as of load_model.
struct PlannedModel {
  ModelConfig config;
  LoadingPlan plan;
};
PlannedModel plan_model(const std::string& directory, std::vector<std::string>* unknown_keys = nullptr);

// Reads config.json and the weights of a directory (formats/directory_weights.h), which may also be given as one of
// its weights files. Shapes are compared before memory is taken. A model that is not trainable shares the mapped file:
// its parameters must not be written to.
Model load_model(const std::string& directory, Backend& backend, bool trainable = false,
                 std::vector<std::string>* unknown_keys = nullptr);

// A model of tensors in memory, by the same rules, sharing them where they fit. `source` names them for messages.
Model build_model(Backend& backend, const ModelConfig& config, const StateDict& weights, const std::string& source);

}  // namespace roformer
