#include "interchange/rotary_relayout.h"

#include <cstring>

#include "base/error.h"
#include "base/inapplicable_error.h"
#include "models/families/family.h"

namespace roformer {
namespace {

void check_heads(const char* what, int64_t count, std::span<const int64_t> permutation, const std::string& name) {
  if (permutation.empty() || count % std::ssize(permutation) != 0) {
    throw ShapeError("{} has {} {}, expected a multiple of the head size, {}", TensorName(name), count, what,
                     permutation.size());
  }
}

// The source of element i of concatenated heads.
int64_t source_of(int64_t i, std::span<const int64_t> permutation) {
  const int64_t dim = std::ssize(permutation);
  return i / dim * dim + permutation[static_cast<size_t>(i % dim)];
}

const std::byte* row_of(const Tensor& tensor, int64_t row) {
  return static_cast<const std::byte*>(tensor.raw()) + row * tensor.row_stride() * dtype_size(tensor.dtype());
}

bool is_one_of(const std::string& name, std::initializer_list<const char*> ends) {
  for (const char* end : ends) {
    if (name.ends_with(std::string(end) + ".weight") || name.ends_with(std::string(end) + ".bias")) return true;
  }
  return false;
}

}  // namespace

Tensor permute_head_columns(const Tensor& weight, std::span<const int64_t> permutation, const std::string& name) {
  check_heads("columns", weight.columns(), permutation, name);
  const auto size = static_cast<size_t>(dtype_size(weight.dtype()));
  Tensor result = Tensor::allocate(weight.shape(), weight.dtype());
  auto* to = static_cast<std::byte*>(result.raw());
  for (int64_t row = 0; row < weight.rows(); ++row) {
    for (int64_t i = 0; i < weight.columns(); ++i, to += size) {
      std::memcpy(to, row_of(weight, row) + static_cast<size_t>(source_of(i, permutation)) * size, size);
    }
  }
  return result;
}

Tensor permute_head_rows(const Tensor& weight, std::span<const int64_t> permutation, const std::string& name) {
  if (weight.shape().rank() == 1) return permute_head_columns(weight, permutation, name);  // a bias
  check_heads("rows", weight.rows(), permutation, name);
  const auto bytes = static_cast<size_t>(weight.columns() * dtype_size(weight.dtype()));
  Tensor result = Tensor::allocate(weight.shape(), weight.dtype());
  auto* to = static_cast<std::byte*>(result.raw());
  for (int64_t row = 0; row < weight.rows(); ++row, to += bytes) {
    std::memcpy(to, row_of(weight, source_of(row, permutation)), bytes);
  }
  return result;
}

RelaidWeights relay_rotary(const StateDict& weights, const ModelConfig& config, RotaryLayout to) {
  RelaidWeights result{weights, 0, config};
  auto* position = std::get_if<RotaryPosition>(&result.config.position);
  if (position == nullptr) {
    throw InapplicableError("{} {}: the model's positions are {}; only rotary ones have a layout",
                            FieldName("rotary_layout"), rotary_layout_name(to), position_name(config.position));
  }
  if (position->rotary.layout == to) return result;
  if (config.encoder != nullptr) {
    throw UsageError("{} {}: the weights of an encoder-decoder stay as they are", FieldName("rotary_layout"),
                     rotary_layout_name(to));
  }
  if (config.family->any_positions == nullptr) {
    throw UsageError("{} {}: the rotation of a {} has the layout \"{}\" in every program; its weights stay as they are",
                     FieldName("rotary_layout"), rotary_layout_name(to), config.family->name,
                     rotary_layout_name(position->rotary.layout));
  }
  if (config.has_random_features()) {
    throw UsageError("{} {}: linear-favor: the random features of a head depend on the order of its elements",
                     FieldName("rotary_layout"), rotary_layout_name(to));
  }
  const std::vector<int64_t> permutation = rotary_permutation(position->rotary, to, config.head_dim());
  position->rotary.layout = to;
  for (auto& [name, tensor] : result.weights) {
    bool rows = is_one_of(name, {".attention.self.query", ".attention.self.key"});
    if (position->rotate_values) rows = rows || is_one_of(name, {".attention.self.value"});
    // Also if its queries are not rotated: a caller can enable it, and scores do not change.
    rows = rows || is_one_of(name, {".crossattention.self.query", ".crossattention.self.key"});
    const bool columns = position->rotate_values && name.ends_with(".attention.output.dense.weight");
    if (rows) tensor = permute_head_rows(tensor, permutation, name);
    if (columns) tensor = permute_head_columns(tensor, permutation, name);
    result.permuted += rows || columns ? 1 : 0;
  }
  return result;
}

}  // namespace roformer
