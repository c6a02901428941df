// All encoder layers of an inference-only model as one kernel, over weights that its backend has prepared. Backends
// without such a kernel run layer by layer (nn/transformer_layer.h).
#pragma once

#include <functional>
#include <memory>

#include "backend/backend.h"

namespace roformer {

// Layer norm, or the RMS norm of RoFormerV2, which has neither gain nor bias (compatibility.md 3.5); other RMS norms
// have a gain, Gemma's multiply by 1 + gain. ModernBERT's layer norm has no bias.
enum class NormKind { layer, rms, rms_with_gain, rms_one_plus_gain, layer_without_bias };
constexpr bool is_rms(NormKind kind) {
  return kind == NormKind::rms || kind == NormKind::rms_with_gain || kind == NormKind::rms_one_plus_gain;
}
constexpr bool has_gain(NormKind kind) { return kind != NormKind::rms; }
constexpr bool has_bias(NormKind kind) { return kind == NormKind::layer; }

struct NormConfig {
  NormKind kind = NormKind::layer;
  double epsilon = 1e-12;
  bool operator==(const NormConfig&) const = default;
};

struct LayersConfig {
  int64_t heads = 1;
  NormConfig norm;
  Activation activation = Activation::gelu;
};

// The tensors of one post-norm layer (compatibility.md 3.3, step 2); undefined where it has none.
struct LayerWeights {
  struct Linear {
    std::shared_ptr<const PreparedWeight> weight;  // [out, in]
    Tensor bias;                                   // [out]
  };
  struct Norm {
    Tensor gain, bias;  // [H]
  };
  Linear qkv, attention_output, intermediate, output;  // qkv [3H, H]: query, key, value
  Norm attention_norm, output_norm;
};

// Replaces the layers' own attention: qkv [T, 3H] of one layer, not rotated, may be overwritten → mixed [T, H].
using LayerAttention = std::function<void(size_t layer, const Tensor& qkv, const Tensor& mixed)>;

class FusedLayers {
 public:
  FusedLayers() = default;
  virtual ~FusedLayers() = default;
  FusedLayers(const FusedLayers&) = delete;
  FusedLayers& operator=(const FusedLayers&) = delete;
  // hidden [T, H], in place. Queries and keys are rotated by their angles unless null, and values like keys if
  // `rotate_values`. No dropout, no score terms. Thread-safe.
  virtual void forward(const AttentionSpec& spec, const RotaryAngles* query_angles, const RotaryAngles* key_angles,
                       bool rotate_values, const Tensor& hidden) const = 0;
  virtual void forward(const LayerAttention& attention, const Tensor& hidden) const = 0;
};

}  // namespace roformer
