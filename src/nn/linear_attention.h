// Linear attention in a model: which layers have it, the random features of FAVOR+, and the layer itself
// (backend/linear_attention.h has the equations).
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
FeatureMap feature_map(AttentionKind kind);  // of a linear kind
// after, before; UsageError for others.
FeatureRotation parse_feature_rotation(const std::string& name);
const char* feature_rotation_name(FeatureRotation rotation);

struct LinearSettings {
  FeatureRotation rotation = FeatureRotation::after;
  int64_t favor_features = 0;  // of a head, even; 0 until complete() of models/config.h sets the default
  int64_t favor_redraw = 0;    // training draws new features every so many steps; 0: never
  int64_t favor_seed = 1;
  bool operator==(const LinearSettings&) const = default;
};

// d · ln d as the Performer library has it, then even, so that features turn in pairs.
int64_t default_favor_features(int64_t head_dim);

// The rows ω [features, head_dim] of one layer: blocks of orthogonal rows as long as rows of independent normal numbers
// are (Choromanski et al. 2021). A function of its arguments, so nothing of it is stored with a model. Draw 0 is the
// one a model is run with; training that redraws goes from draw to draw, so that a model fits any of them.
std::vector<double> favor_projection(int64_t seed, int64_t layer, int64_t draw, int64_t features, int64_t head_dim);

// The rotation of FAVOR+'s features after the map: that of q and k with as many pairs as features have, or the same
// share of them.
Rotary feature_rotary(const Rotary& rotary, int64_t head_dim, int64_t features);

struct LinearAttentionConfig {
  AttentionKind kind = AttentionKind::linear_elu;
  LinearSettings settings;
  int64_t hidden = 0, heads = 1;
  int64_t layer = 0;  // whose random features are its own
};

class LinearAttention {
 public:
  explicit LinearAttention(const LinearAttentionConfig& config);

  // Attention of qkv [T, 3H] → [T, H]. There are no weights that dropout could act on. A state (causal, without a tape)
  // goes on from what came before each sequence's tokens, see ops/linear_attention.h.
  Value attend(const Context& context, Value&& qkv, const Indices& offsets, bool causal,
               const SharedPositions& positions, const LinearAttentionState& state = {}) const;
  LinearAttentionState start(Backend& backend, int64_t sequences) const;

 private:
  struct Cache;  // of the projection drawn last
  Tensor projection(const Context& context) const;

  LinearAttentionConfig config_;
  std::shared_ptr<Cache> cache_;
};

}  // namespace roformer
