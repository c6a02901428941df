// Linear attention as a layer: its kinds and settings, and the random features of FAVOR+ (equations:
// backend/linear_attention.h).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "nn/positions.h"
#include "ops/linear_attention.h"

namespace roformer {

enum class AttentionKind { softmax, linear_elu, linear_relu, linear_favor };
// softmax, linear-elu, linear-relu, linear-favor; UsageError for others.
AttentionKind parse_attention(const std::string& name);
const std::string& attention_name(AttentionKind kind);
const std::vector<std::string>& attention_names();
FeatureMap feature_map(AttentionKind kind);  // `kind` must be linear
// after, before; UsageError for others.
FeatureRotation parse_feature_rotation(const std::string& name);
const char* feature_rotation_name(FeatureRotation rotation);

struct LinearSettings {
  FeatureRotation rotation = FeatureRotation::after;
  int64_t favor_features = 0;  // per head, even; 0 until complete() of models/config.h sets the default
  int64_t favor_redraw = 0;    // steps between new draws in training; 0: never
  int64_t favor_seed = 1;
  bool operator==(const LinearSettings&) const = default;
};

// d · ln d, like the Performer library, made even, because features are rotated in pairs.
int64_t default_favor_features(int64_t head_dim);

// The rows ω [features, head_dim] of one layer: blocks of orthogonal rows with the lengths of independent normal
// vectors (Choromanski et al. 2021). A pure function of its arguments, so it is not stored with a model. Inference uses
// draw 0; training that redraws advances the draw, so that a model fits any of them.
std::vector<double> favor_projection(int64_t seed, int64_t layer, int64_t draw, int64_t features, int64_t head_dim);

// The rotation of FAVOR+'s features after the map: that of q and k, scaled to the number of features; a partial
// rotation has the same share of them.
Rotary feature_rotary(const Rotary& rotary, int64_t head_dim, int64_t features);

struct LinearAttentionConfig {
  AttentionKind kind = AttentionKind::linear_elu;
  LinearSettings settings;
  int64_t hidden = 0, heads = 1;
  int64_t layer = 0;  // layer index: each has its own random features
};

class LinearAttention {
 public:
  explicit LinearAttention(const LinearAttentionConfig& config);

  // Attention of qkv [T, 3H] → [T, H]. There is no dropout: there are no attention weights. A state (causal, without a
  // tape) continues from the past of each sequence, see ops/linear_attention.h.
  Value attend(const Context& context, Value&& qkv, const Indices& offsets, bool causal,
               const SharedPositions& positions, const LinearAttentionState& state = {}) const;
  LinearAttentionState start(Backend& backend, int64_t sequences) const;

 private:
  struct Cache;  // the projection drawn last
  Tensor projection(const Context& context) const;

  LinearAttentionConfig config_;
  std::shared_ptr<Cache> cache_;
};

}  // namespace roformer
