// Model: a trunk, its pooler and the head its config names, with their weights; how it comes from a model directory
// (config.json and weights under the ecosystem's names).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "checkpoint/state_dict.h"
#include "models/encoder.h"
#include "nn/heads.h"
#include "nn/mlm_head.h"

namespace roformer {

struct NamedParameter {
  std::string name;
  Parameter parameter;
  ParameterRole role;
};

class Model {
 public:
  // Zero weights, unit norm gains. The backend must outlive the model. Parameters have gradients if `trainable`.
  // DataError if this machine's memory cannot hold it.
  Model(Backend& backend, const ModelConfig& config, bool trainable);

  const ModelConfig& config() const { return config_; }
  Backend& backend() const { return backend_; }
  const Encoder& encoder() const { return encoder_; }
  const MlmHead& mlm_head() const;  // of masked and causal language models; DataError if the model has none

  bool has_pooler() const { return pooler_.has_value(); }
  // hidden [T, H] of `batch` → [sequences, H]. DataError if the model has no pooler, or for an empty sequence.
  Value pooled(const Context& context, const Value& hidden, const Batch& batch) const;
  // The head's scores: [T, V] of a language model, [T, labels] of token classification, [T, 2] (start, end) of question
  // answering, [sequences, labels] of sequence classification, [sequences, 1] of multiple choice (each choice with its
  // question is a sequence). DataError if the model has no head, or for an empty sequence where a sequence has one
  // score. Trap: RoFormer's multiple choice takes the last token ("summary_type") — also transformers', where in a
  // padded batch that may be padding; here there is none, so only unpadded inputs compare.
  Value logits(const Context& context, const Value& hidden, const Batch& batch) const;
  const std::vector<NamedParameter>& parameters() const { return parameters_; }

  // Normal(0, initializer_range) for weights, 0 for biases and norm biases, 1 for norm gains.
  void initialise(RandomStream random);

  // Takes weights by name; accepts the spellings of compatibility.md 3.2. One DataError lists all that does not fit.
  // With `share` tensors that fit as they are stay where they are (in a mapped file: no memory is taken, and they must
  // not be written to); else all are copied.
  void load_weights(const StateDict& weights, const std::string& source, bool share = false);
  std::vector<std::pair<std::string, Tensor>> weights() const;  // views, for writing

 private:
  Backend& backend_;
  ModelConfig config_;
  bool trainable_;
  Encoder encoder_;
  void visit(const ParameterVisitor& visitor);
  void collect_parameters();
  Value summarised(const Context& context, const Value& hidden, const Batch& batch) const;

  std::optional<Pooler> pooler_;
  std::optional<MlmHead> mlm_head_;
  std::optional<Classifier> classifier_;
  std::vector<NamedParameter> parameters_;
};

// Reads config.json and the weights of a directory (checkpoint/directory_weights.h), which may also be given as one of
// its weights files. Shapes are compared before memory is taken. A model that is not trainable shares the mapped file:
// its parameters must not be written to.
Model load_model(const std::string& directory, Backend& backend, bool trainable = false,
                 std::vector<std::string>* unknown_keys = nullptr);

}  // namespace roformer
