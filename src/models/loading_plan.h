// How a model's parameters come out of a file's tensors: matched by name, shape and type before memory is taken for a
// single number, so that everything that does not fit is one error, and the model is then built from the file, once.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "formats/directory_weights.h"
#include "models/families/family.h"
#include "nn/parameters.h"

namespace roformer {

// A tensor that could be read. `read` may be called any number of times, and from any thread; it keeps what it needs.
struct AvailableTensor {
  std::string name;
  Shape shape;
  DType dtype = DType::float32;  // of what read() gives
  std::function<Tensor()> read;
};
using AvailableTensors = std::vector<AvailableTensor>;

// Tensors whose names match a pattern of `skip` are left out; these may be of types that cannot be read. DataError for
// others of such types.
AvailableTensors available(const std::shared_ptr<const WeightFiles>& files, std::span<const char* const> skip);
AvailableTensors available(const StateDict& tensors);

// What a model of this config asks for, in that order; undefined parameters.
ParameterTable declared_parameters(const ModelConfig& config);

class LoadingPlan {
 public:
  // Takes other spellings of names; for tied embeddings also the head's output weights. One DataError lists all that is
  // missing, extra or misshapen. `source` names the file, for messages.
  LoadingPlan(const ModelConfig& config, AvailableTensors tensors, std::string source);

  const std::string& source() const { return source_; }
  const ParameterTable& declared() const { return declared_; }

  // The numbers of parameter i of declared(), written to `to` (its shape; float32, float64 or stored_type(i), on the
  // host).
  void fill(size_t i, const Tensor& to) const;
  // The file's own memory, where it holds this parameter as it is, in this type; else an undefined tensor.
  Tensor shared(size_t i, DType dtype) const;
  DType stored_type(size_t i) const { return tensors_[steps_[i].tensor].dtype; }

 private:
  // Where a parameter's numbers are.
  struct Step {
    size_t tensor = 0;
    const TensorRule* rule = nullptr;
    int64_t heads = 1;  // where the file has them head by head
  };
  std::optional<size_t> find(const std::string& name, const std::vector<std::string>& others) const;
  std::string mismatch(const Step& step, const Shape& shape) const;

  std::string source_;
  AvailableTensors tensors_;
  ParameterTable declared_;
  std::vector<Step> steps_;  // of each parameter
};

// The parameters that a plan says: the file's memory where it can be shared, unless they are trainable. Weights that
// are only multiplied with or looked up in keep their 16 bits where the backend reads them.
class LoadedParameters final : public NewParameters {
 public:
  // Plan and backend must outlive the source.
  LoadedParameters(Backend& backend, bool trainable, const LoadingPlan& plan);

 protected:
  Parameter provide(std::span<const ParameterSpec> parts, const Initializer& initializer) override;

 private:
  DType type_of(std::span<const ParameterSpec> parts) const;

  const LoadingPlan& plan_;
  std::map<std::string, size_t> numbers_;  // of the plan's parameters
  bool trainable_;
};

// What a file of the family holds, on the host: each parameter, several in one where the family's files have them so.
std::vector<std::pair<std::string, Tensor>> file_tensors(Backend& backend, const ModelConfig& config,
                                                         const ParameterTable& table);

}  // namespace roformer
