// Speed of rotation and of attention alone on this machine (cli.md, `bench --mode rotation|attention`).
#pragma once

#include <cstdint>
#include <vector>

#include "backend/backend.h"

namespace roformer {

struct KernelBenchOptions {
  std::vector<int64_t> lengths{128};  // packed sequences
  int64_t heads = 12, head_dim = 64;
  double seconds = 3;  // measure at least that long,
  int64_t passes = 5;  // and at least so many passes, after one to warm up
};

// Queries and keys [tokens, heads, head_dim], rotated in place. Bandwidths count each byte once read and once written.
struct RotationSpeed {
  RotaryLayout layout;
  bool backward;
  double seconds;  // median of the passes
  double bytes_per_second, memcpy_bytes_per_second;
};

struct AttentionSpeed {
  bool backward;
  double seconds;  // median of the passes
  double gflops;   // 4·S²·H a sequence forward; backward 2.5 times that, as it computes the scores again
};

// Both layouts, forward and backward. In each pass every one of them takes its turn, and a memcpy of as many bytes on
// the same threads. UsageError for a head_dim that cannot be rotated.
std::vector<RotationSpeed> bench_rotation(Backend& backend, const KernelBenchOptions& options);

// Forward and backward, bidirectional, without dropout.
std::vector<AttentionSpeed> bench_attention(Backend& backend, const KernelBenchOptions& options);

}  // namespace roformer
