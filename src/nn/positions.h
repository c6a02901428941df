// Position encodings that act inside attention: what all layers share (TrunkPositions), what each layer has of its own
// (LayerPositions), and how both become the rotation, the score terms and the relative values of one attention
// (position/encoding.h names the equations). Encodings that are added to the input are in embeddings.h.
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
  int64_t kv_heads = 0;   // of keys and values; 0: as many. Encodings with tables as wide as the queries take no fewer
  int64_t head_size = 0;  // 0: hidden / heads
  std::vector<Rotary> rotary = {};  // of each layer, where it is not that of the encoding
  int64_t features = 0;  // of a head, where a rotation turns FAVOR+'s instead of q and k (nn/linear_attention.h)
  int64_t head_dim() const { return head_size == 0 ? hidden / heads : head_size; }
  int64_t query_width() const { return heads * head_dim(); }
  int64_t key_width() const { return (kv_heads == 0 ? heads : kv_heads) * head_dim(); }
};

// Whether attention is given score terms, relative values or other queries and keys: more than a rotation.
bool acts_on_scores(const PositionEncoding& encoding);

// Whether keys that are kept can be moved to other positions: not where the position went in with the token.
bool keys_can_move(const PositionEncoding& encoding);

// What one forward pass over some positions gives to all layers.
struct SharedPositions {
  AttentionPositions attention;  // with terms that are the same in every layer
  std::shared_ptr<const RotaryAngles> feature_query_angles, feature_key_angles;
  // Rows by distance −clip … clip, for layers to project: sinusoids (Eq. 7, NEZHA) or trained rows (Eq. 10).
  Value rows;
  Indices distance_rows;       // of trained tables, those for the distances −clip … clip
  Value query_part, key_part;  // TUPE's [T, H]
  Parameter u, v;
};

// The keys of a batch's sequences with those kept of earlier passes, one sequence after another.
struct CachedKeys {
  Indices positions, offsets;
};

class TrunkPositions {
 public:
  // Parameters "rows.weight", "rows_norm", "query", "key", "bias.weight", "u", "v" and "log_frequencies" below `scope`.
  TrunkPositions(const Scope& scope, const PositionsConfig& config);

  // `positions` [T] of a batch with these cu_seqlens. DataError for a position that the encoding does not have. `keys`:
  // where queries also see keys that are kept. One for all layers, or one for each.
  std::vector<std::shared_ptr<const SharedPositions>> forward(const Context& context, const Indices& positions,
                                                              const Indices& offsets,
                                                              const CachedKeys* keys = nullptr) const;

  // How keys of a sequence of `length` positions are rotated (position/rerotation.h): in all layers, or in each; empty
  // if they are not.
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
  std::optional<NormLayer> rows_norm_;      // of rows_, as DeBERTa's later versions and TUPE have it
  std::optional<LinearLayer> query_, key_;  // TUPE
  Parameter u_, v_;                         // [H]: Transformer-XL
  Parameter log_frequencies_;               // [dim / 2]: learned rotary
};

class LayerPositions {
 public:
  // Parameters "keys.weight", "values.weight", "distances" and "log_bias" below `scope`.
  LayerPositions(const Scope& scope, const PositionsConfig& config);

  // Softmax attention of queries, keys and values, whose `projection` encodings may need, → [T, query_width].
  Value attend(const Context& context, AttentionOptions options, std::array<Columns, 3>&& qkv,
               const LinearLayer& projection, const SharedPositions& shared) const;

 private:
  PositionsConfig config_;
  Parameter keys_, values_;               // [2·clip + 1, head_dim]: Shaw
  std::optional<LinearLayer> distances_;  // Transformer-XL's projection of sinusoids
  Parameter logs_;                        // [2, heads]: KERPLE
};

}  // namespace roformer
