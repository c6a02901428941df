// Speed of rotation, of attention and of products with weights alone on this machine (cli.md, `bench --mode
// rotation|attention|products`).
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "backend/backend.h"
#include "nn/linear_attention.h"

namespace roformer {

struct KernelBenchOptions {
  std::vector<int64_t> lengths{128};  // packed sequences
  int64_t heads = 12, head_dim = 64;
  double seconds = 3;  // measure for at least this long,
  int64_t passes = 5;  // and at least this many passes, after a warm-up pass
  AttentionKind attention = AttentionKind::softmax;
  bool bidirectional = true, causal = true;           // attention: directions to measure
  int64_t window = 0;                                 // softmax attention: symmetric or causal window; 0: none
  double score_cap = 0;                               // softmax attention: see AttentionSpec
  bool rotate = true;                                 // linear attention: rotate queries and keys
  FeatureRotation rotation = FeatureRotation::after;  // before or after the feature map
  int64_t favor_features = 0;                         // 0: the default
};

// Queries and keys [tokens, heads, head_dim], rotated in place. Bandwidths count each byte once read and once written.
struct RotationSpeed {
  RotaryLayout layout;
  bool backward;
  double seconds;  // median of the passes
  double bytes_per_second, memcpy_bytes_per_second;
  double in_place_bytes_per_second;  // of negating the same bytes in place
};

struct AttentionSpeed {
  bool causal, backward;
  double seconds;  // median of the passes
  // 4·S²·H per sequence forward, linear attention 4·S·m·H with m features, and as many again to compute random ones;
  // backward 2.5 times that, as it recomputes the scores. Causal attention and windows count the same.
  double gflops;
  // Peak bytes of the process beyond those before the inputs were allocated, results and (backward) gradients included;
  // for the second direction less what the first one left allocated. Empty if the system does not report it.
  std::optional<int64_t> memory;
};

struct ProductShape {
  const char* name;
  int64_t inputs, outputs;  // of the weight
};

// [tokens, inputs] by a weight [outputs, inputs], prepared as for inference, with a bias.
struct ProductSpeed {
  ProductShape shape;
  double seconds;  // median of the passes
  double gflops;   // 2 · tokens · inputs · outputs
};

// Both layouts, forward and backward. Each pass measures all of them in turn, a memcpy of as many bytes on the same
// threads, and their negation in place, which reads and writes the same memory as a rotation. UsageError for
// a head_dim that cannot be rotated.
std::vector<RotationSpeed> bench_rotation(Backend& backend, const KernelBenchOptions& options);

// Forward and backward without dropout, bidirectional and then causal as asked; softmax attention is not rotated.
std::vector<AttentionSpeed> bench_attention(Backend& backend, const KernelBenchOptions& options);

// Each shape with all tokens of `lengths`; the shapes take turns.
std::vector<ProductSpeed> bench_products(Backend& backend, const KernelBenchOptions& options,
                                         const std::vector<ProductShape>& shapes);

}  // namespace roformer
