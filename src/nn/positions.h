// Position encodings inside attention: what all layers share (TrunkPositions), what each layer owns (LayerPositions),
// and the rotation, score terms and relative values that attention gets from both (equations: position/encoding.h).
// Input encodings are in embeddings.h.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "nn/parameters.h"
#include "position/encoding.h"
#include "position/rerotation.h"

namespace roformer {

struct PositionsConfig {
  PositionEncoding encoding;
  int64_t hidden = 0, heads = 1;
  NormConfig norm = {};
  int64_t kv_heads = 0;             // of keys and values; 0: heads. Encodings with tables of query width need all
  int64_t head_size = 0;            // 0: hidden / heads
  std::vector<Rotary> rotary = {};  // per layer; empty: that of the encoding
  int64_t features = 0;  // per head, if FAVOR+'s features are rotated instead of q and k (nn/linear_attention.h)
  int64_t head_dim() const { return head_size == 0 ? hidden / heads : head_size; }
  int64_t query_width() const { return heads * head_dim(); }
  int64_t key_width() const { return (kv_heads == 0 ? heads : kv_heads) * head_dim(); }
};

// Whether the encoding needs more than a rotation: score terms, relative values or other queries and keys.
bool acts_on_scores(const PositionEncoding& encoding);

// Whether cached keys can be moved to other positions: not if positions were added to the input.
bool keys_can_move(const PositionEncoding& encoding);

// What all layers share in one forward pass.
struct SharedPositions {
  AttentionPositions attention;  // with the terms that all layers share
  std::shared_ptr<const RotaryAngles> feature_query_angles, feature_key_angles;
  // Rows by distance −clip … clip, which layers project: sinusoids (Eq. 7, NEZHA) or trained rows (Eq. 10).
  Value rows;
  Indices distance_rows;       // rows of trained tables for the distances −clip … clip
  Value query_part, key_part;  // TUPE's [T, H]
  Parameter u, v;
};

// The keys of a batch's sequences, cached ones included, concatenated.
struct CachedKeys {
  Indices positions, offsets;
};

class TrunkPositions {
 public:
  // Parameters below `scope`: "rows.weight", "rows_norm", "query", "key", "bias.weight", "u", "v", "log_frequencies".
  TrunkPositions(const Scope& scope, const PositionsConfig& config);

  // `positions` [T] and cu_seqlens of a batch; `keys` if queries also see cached keys. Returns one for all layers, or
  // one per layer. DataError for a position beyond the encoding's range.
  std::vector<std::shared_ptr<const SharedPositions>> forward(const Context& context, const Indices& positions,
                                                              const Indices& offsets,
                                                              const CachedKeys* keys = nullptr) const;

  // How keys of a sequence of `length` positions are rotated (position/rerotation.h): one for all layers, or one per
  // layer; empty if they are not.
  std::vector<KeyRotation> key_rotations(Backend& backend, int64_t length) const;

 private:
  SharedPositions shared(const Context& context, const Indices& positions, const Indices& offsets,
                         const CachedKeys* keys) const;
  void rotate(const Context& context, const RotaryPosition& rotary, const Indices& positions, const Indices& offsets,
              SharedPositions& shared) const;
  void bias(const Context& context, const DistanceBuckets& buckets, SharedPositions& shared) const;
  void separate(const Context& context, const TupePosition& tupe, const Indices& positions,
                SharedPositions& shared) const;

  PositionsConfig config_;
  Parameter bias_;                          // [buckets, heads]: T5, TUPE
  Parameter rows_;                          // [2·clip + 1, H]: DeBERTa; [positions, H]: TUPE
  std::optional<NormLayer> rows_norm_;      // of rows_: DeBERTa-v2 and TUPE
  std::optional<LinearLayer> query_, key_;  // TUPE
  Parameter u_, v_;                         // [H]: Transformer-XL
  Parameter log_frequencies_;               // [dim / 2]: learned rotary
};

class LayerPositions {
 public:
  // Parameters below `scope`: "keys.weight", "values.weight", "distances" and "log_bias".
  LayerPositions(const Scope& scope, const PositionsConfig& config);

  // Softmax attention of q, k and v → [T, query_width]. Some encodings also apply their `projection`.
  Value attend(const Context& context, AttentionOptions options, std::array<Columns, 3>&& qkv,
               const LinearLayer& projection, const SharedPositions& shared) const;

 private:
  PositionsConfig config_;
  Parameter keys_, values_;               // [2·clip + 1, head_dim]: Shaw
  std::optional<LinearLayer> distances_;  // Transformer-XL's projection of sinusoids
  Parameter logs_;                        // [2, heads]: KERPLE
};

}  // namespace roformer
