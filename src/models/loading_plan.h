// Maps a model's parameters to a file's tensors by name, shape and type before any allocation, so that all mismatches
// are reported in one error, and the model is then built directly from the file.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "formats/directory_weights.h"
#include "models/families/family.h"
#include "nn/parameters.h"

namespace roformer {

// A tensor available for loading. `read` can be called repeatedly and from any thread, and owns its source.
struct AvailableTensor {
  std::string name;
  Shape shape;
  DType dtype = DType::float32;  // of the result of read()
  std::function<Tensor()> read;
};
using AvailableTensors = std::vector<AvailableTensor>;

// Tensors whose names match a pattern of `skip` are left out. DataError for unsupported types of others.
AvailableTensors available(const std::shared_ptr<const WeightFiles>& files, std::span<const char* const> skip);
AvailableTensors available(const StateDict& tensors);

// The parameters that a model of this config declares, in order, without values.
ParameterTable declared_parameters(const ModelConfig& config);

class LoadingPlan {
 public:
  // Accepts alternative names, and for tied embeddings also the head's output weights. One DataError lists all missing,
  // extra and mismatched tensors. `source` names the file in messages.
  LoadingPlan(const ModelConfig& config, AvailableTensors tensors, std::string source);

  const std::string& source() const { return source_; }
  const ParameterTable& declared() const { return declared_; }

  // Writes parameter i of declared() to `to` (same shape; float32, float64 or stored_type(i), on the host).
  void fill(size_t i, const Tensor& to) const;
  // A view of the file if it holds this parameter unchanged in this type; else an undefined tensor.
  Tensor shared(size_t i, DType dtype) const;
  DType stored_type(size_t i) const { return tensors_[steps_[i].tensor].dtype; }

 private:
  // The source of a parameter.
  struct Step {
    size_t tensor = 0;
    const TensorRule* rule = nullptr;
    int64_t heads = 1;  // for Arrangement::by_head
  };
  std::optional<size_t> find(const std::string& name, const std::vector<std::string>& others) const;
  std::string mismatch(const Step& step, const Shape& shape) const;

  std::string source_;
  AvailableTensors tensors_;
  ParameterTable declared_;
  std::vector<Step> steps_;  // of each parameter
};

// Creates parameters from a plan, sharing the file's memory if possible unless they are trainable. 16-bit matrices and
// embeddings stay in 16 bits if the backend supports it.
class LoadedParameters final : public NewParameters {
 public:
  // Plan and backend must outlive the source.
  LoadedParameters(Backend& backend, bool trainable, const LoadingPlan& plan);

 protected:
  Parameter provide(std::span<const ParameterSpec> parts, const Initializer& initializer) override;

 private:
  DType type_of(std::span<const ParameterSpec> parts) const;

  const LoadingPlan& plan_;
  std::map<std::string, size_t> indices_;  // of the plan's parameters, by name
  bool trainable_;
};

// The tensors of a file of the family, on the host: parameters, combined where the family's format combines them.
std::vector<std::pair<std::string, Tensor>> file_tensors(Backend& backend, const ModelConfig& config,
                                                         const ParameterTable& table);

}  // namespace roformer
