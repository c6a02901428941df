// Maps a model's parameters to a file's tensors by name, shape and type before any allocation, so that all mismatches
// are reported in one error, and the model is then built directly from the file.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "formats/directory_weights.h"
#include "models/families/family.h"
#include "nn/parameters.h"

namespace roformer {

// A tensor available for loading. `read` can be called repeatedly and from any thread, and owns its source.
struct AvailableTensor {
  std::string name;  // in the model
  Shape shape;
  DType dtype = DType::float32;  // of the result of read()
  std::function<Tensor()> read;
  std::string stored_name = name;                     // in the file
  std::string stored_numbers = {};                    // their type in the file, "Q4_K"; empty: not known
  bool readable = true;                               // else read() throws: of an unsupported type
  std::function<void(const Tensor&)> read_into = {};  // as read() and copy_tensor; null: those
};
using AvailableTensors = std::vector<AvailableTensor>;

AvailableTensors available(const std::shared_ptr<const WeightFiles>& files);
AvailableTensors available(const StateDict& tensors);

// The parameters that a model of this config declares, in order, without values.
ParameterTable declared_parameters(const ModelConfig& config);

class LoadingPlan {
 public:
  // What must fit. whole: every parameter; trunk: the head's parameters may be missing, but not wrong; trunk_anew:
  // those of position encodings, too; nothing: a trial.
  enum class Fit { whole, trunk, trunk_anew, nothing };
  // Accepts alternative names, and for tied embeddings also the head's output weights. One DataError lists what is
  // missing with the nearest that the file has, wrong shapes and types, and tensors of a part of the trunk that the
  // config excludes. `source` names the file in messages.
  LoadingPlan(const ModelConfig& config, AvailableTensors tensors, std::string source, Fit fit = Fit::whole);

  const std::string& source() const { return source_; }
  const ParameterTable& declared() const { return declared_; }
  bool holds(size_t i) const { return steps_[i].tensor.has_value(); }  // parameter i of declared()

  // What the file lacks: a tensor by its name there.
  struct Missing {
    std::string name;
    Shape shape;
  };
  const std::vector<Missing>& missing_in_head() const { return missing_in_head_; }
  const std::vector<std::string>& wrong_in_head() const { return wrong_in_head_; }  // messages
  // "NAME" SHAPE (nearest in the file: "NAME" SHAPE). Searches, so only for what a message shows.
  std::string describe(const Missing& missing) const;
  int64_t held_by_head() const { return held_by_head_; }  // number of its parameters in the file, tied ones too
  // Tensors that are neither parameters nor known to be without use: "NAME" SHAPE.
  const std::vector<std::string>& unused() const { return unused_; }

  // For a parameter that the file holds. Writes parameter i of declared() to `to` (same shape; float32, float64 or
  // stored_type(i), on the host).
  void fill(size_t i, const Tensor& to) const;
  // A view of the file if it holds this parameter unchanged in this type; else an undefined tensor.
  Tensor shared(size_t i, DType dtype) const;
  DType stored_type(size_t i) const { return tensor_of(i).dtype; }

 private:
  // The source of a parameter.
  struct Step {
    std::optional<size_t> tensor;
    const TensorRule* rule = nullptr;
    int64_t heads = 1;  // for Arrangement::by_head
  };
  const AvailableTensor& tensor_of(size_t i) const { return tensors_[*steps_[i].tensor]; }
  std::optional<size_t> find(const std::string& name, const std::vector<std::string>& others) const;
  std::string mismatch(const AvailableTensor& tensor, const Shape& shape) const;
  // Fills steps_, adds all names of the parameters to `known`, and returns what the trunk lacks; adds what is wrong to
  // `problems`.
  std::vector<Missing> match(const ModelConfig& config, Fit fit, std::set<std::string>& known,
                             std::vector<std::string>& problems);
  void find_unused(const ModelConfig& config, const std::set<std::string>& known, std::vector<std::string>& problems);

  std::string source_;
  AvailableTensors tensors_;
  ParameterTable declared_;
  std::vector<Step> steps_;  // of each parameter
  std::vector<Missing> missing_in_head_;
  std::vector<std::string> wrong_in_head_, unused_;
  int64_t held_by_head_ = 0;
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
