#include "lab/bench_kernels.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "metrics/statistics.h"
#include "nn/attention_mask.h"
#include "nn/constant_table.h"
#include "ops/linear_attention.h"

namespace roformer {

namespace {

// The median seconds of each contestant; they take turns after a warm-up run each.
std::vector<double> medians(const KernelBenchOptions& options, const std::vector<std::function<void()>>& contestants) {
  std::vector<std::vector<double>> seconds(contestants.size());
  const double begin = now_seconds();
  while (std::ssize(seconds.front()) < options.passes || now_seconds() - begin < options.seconds) {
    for (size_t i = 0; i < contestants.size(); ++i) {
      const double start = now_seconds();
      contestants[i]();
      seconds[i].push_back(now_seconds() - start);
    }
  }
  std::vector<double> result;
  result.reserve(seconds.size());
  for (const auto& of_one : seconds) result.push_back(median(of_one));
  return result;
}

Tensor random(Backend& backend, Shape shape, uint64_t stream) {
  Tensor x = backend.empty(shape);
  backend.write(x, [&](const Tensor& host) {
    Generator generator({1, stream});
    float* const data = host.data<float>();
    for (int64_t i = 0; i < host.elements(); ++i) data[i] = static_cast<float>(2 * generator.uniform() - 1);
  });
  return x;
}

// [tokens, heads · head_dim]; UsageError if `tensors` of them exceed the memory of this machine.
Shape checked_shape(const KernelBenchOptions& options, double tensors) {
  double tokens = 0;
  for (const int64_t length : options.lengths) tokens += static_cast<double>(length);
  const double present = static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGESIZE));
  const double needed =
      tensors * tokens * 4 * static_cast<double>(options.heads) * static_cast<double>(options.head_dim);
  if (tokens > kMaxRotaryPosition || needed > present) {
    throw UsageError("{:.0f} tokens need {:.1f} GB here, this machine has {:.1f} GB; give fewer or shorter {}", tokens,
                     needed / 1e9, present / 1e9, FieldName("lengths"));
  }
  return {static_cast<int64_t>(tokens), options.heads * options.head_dim};
}

// One range of bytes per thread, as large as possible: memcpy's best case.
void copy_on_all_threads(ThreadPool& pool, const Tensor& from, const Tensor& to) {
  const int64_t bytes = from.bytes(), part = (bytes + pool.threads() - 1) / pool.threads();
  for_chunks(pool, bytes, part, [&](int64_t begin, int64_t end) {
    std::memcpy(reinterpret_cast<char*>(to.data<float>()) + begin,
                reinterpret_cast<const char*>(from.data<float>()) + begin, static_cast<size_t>(end - begin));
  });
}

// x = −x, sixteen bytes at a time, which no memory keeps up with: what any kernel that works in place costs at least.
void negate_on_all_threads(ThreadPool& pool, const Tensor& x) {
  using Four = float __attribute__((vector_size(16)));
  const int64_t count = x.elements() / 4, part = ceil_div(count, pool.threads());
  for_chunks(pool, count, part, [&](int64_t begin, int64_t end) {
    auto* const data = reinterpret_cast<Four*>(x.data<float>());
    for (int64_t i = begin; i < end; ++i) data[i] = -data[i];
  });
}

}  // namespace

std::vector<RotationSpeed> bench_rotation(Backend& backend, const KernelBenchOptions& options) {
  const Shape shape = checked_shape(options, 4);
  std::vector<int32_t> positions;
  for (const int64_t length : options.lengths) {
    for (int64_t i = 0; i < length; ++i) positions.push_back(static_cast<int32_t>(i));
  }
  const Tensor q = random(backend, shape, 1), k = random(backend, shape, 2);
  const Tensor q_copy = backend.zeros(shape), k_copy = backend.zeros(shape);

  std::vector<RotationSpeed> speeds;
  std::vector<std::function<void()>> contestants{
      [&] {
        copy_on_all_threads(backend.pool(), backend.to_host(q), backend.to_host(q_copy));
        copy_on_all_threads(backend.pool(), backend.to_host(k), backend.to_host(k_copy));
      },
      [&] {
        for (const Tensor& x : {q, k}) negate_on_all_threads(backend.pool(), backend.to_host(x));
      }};
  for (const RotaryLayout layout : {RotaryLayout::adjacent, RotaryLayout::half}) {
    const RotaryAngles angles = backend.rotary_angles({options.head_dim, layout, 10000}, positions);
    for (const bool backward : {false, true}) {
      speeds.push_back({layout, backward, 0, 0, 0, 0});
      contestants.push_back([&, angles, backward] {
        for (const Tensor& x : {q, k}) backend.rotate(x, options.heads, angles, backward);
      });
    }
  }
  for (const auto& contestant : contestants) contestant();
  const std::vector<double> seconds = medians(options, contestants);
  const double bytes = 2.0 * static_cast<double>(q.bytes() + k.bytes());
  for (size_t i = 0; i < speeds.size(); ++i) {
    speeds[i].seconds = seconds[i + 2];
    speeds[i].bytes_per_second = bytes / seconds[i + 2];
    speeds[i].memcpy_bytes_per_second = bytes / seconds[0];
    speeds[i].in_place_bytes_per_second = bytes / seconds[1];
  }
  return speeds;
}

namespace {

// One kind of attention in one direction; `statistics` is what the backward pass needs beside the result.
struct AttentionCalls {
  bool causal;
  double operations;  // forward
  std::function<void(const AttentionTensors& in, const Tensor& out, const Tensor& statistics)> forward;
  std::function<void(const AttentionTensors& in, const Tensor& out, const Tensor& statistics, const Tensor& dout,
                     const AttentionTensors& gradients)>
      backward;
};

std::optional<int64_t> memory_beyond(std::optional<int64_t> before) {
  const auto peak = peak_memory();
  return before && peak ? std::optional(*peak - *before) : std::nullopt;
}

// Forward, backward. Buffers of the backward pass are allocated after the first forward pass, so that the forward
// pass's memory is measured alone.
std::vector<AttentionSpeed> measure_attention(Backend& backend, const KernelBenchOptions& options, const Shape& shape,
                                              const AttentionCalls& calls) {
  const auto before = reset_peak_memory() ? peak_memory() : std::nullopt;
  const AttentionTensors in{random(backend, shape, 1), random(backend, shape, 2), random(backend, shape, 3)};
  const Tensor out = backend.zeros(shape), statistics = backend.zeros({options.heads, shape[0]});
  const auto forward = [&] { calls.forward(in, out, statistics); };
  forward();
  const auto forward_memory = memory_beyond(before);
  const AttentionTensors gradients{backend.zeros(shape), backend.zeros(shape), backend.zeros(shape)};
  const Tensor dout = random(backend, shape, 4);
  const auto backward = [&] { calls.backward(in, out, statistics, dout, gradients); };
  backward();
  const auto backward_memory = memory_beyond(before);
  const std::vector<double> seconds = medians(options, {forward, backward});
  return {{calls.causal, false, seconds[0], calls.operations / seconds[0] / 1e9, forward_memory},
          {calls.causal, true, seconds[1], 2.5 * calls.operations / seconds[1] / 1e9, backward_memory}};
}

// offsets [sequences + 1], and each token's position in its sequence.
struct PackedLengths {
  std::vector<int32_t> offsets{0}, positions;

  explicit PackedLengths(const std::vector<int64_t>& lengths) {
    for (const int64_t length : lengths) {
      offsets.push_back(static_cast<int32_t>(offsets.back() + length));
      for (int64_t i = 0; i < length; ++i) positions.push_back(static_cast<int32_t>(i));
    }
  }
};

std::vector<AttentionSpeed> bench_linear_attention(Backend& backend, const KernelBenchOptions& options, bool causal) {
  const Shape shape = checked_shape(options, 8);
  const PackedLengths packed(options.lengths);
  const int64_t dim = options.head_dim;
  LinearAttentionSpec spec{.heads = options.heads,
                           .map = feature_map(options.attention),
                           .causal = causal,
                           .offsets = packed.offsets,
                           .rotation = options.rotation};
  if (spec.map == FeatureMap::favor) {
    const int64_t features = options.favor_features > 0 ? options.favor_features : default_favor_features(dim);
    const std::vector<double> rows = favor_projection(1, 0, 0, features, dim);
    spec.projection = constant_table(backend, features, dim, [&](int64_t row, int64_t column) {
      return rows[static_cast<size_t>(row * dim + column)];
    });
  }
  const int64_t turned = options.rotation == FeatureRotation::after ? spec.features(dim) : dim;
  const RotaryAngles angles = backend.rotary_angles({.dim = turned / 2 * 2}, packed.positions);
  if (options.rotate) spec.query_angles = spec.key_angles = &angles;
  const double operations = 4 * static_cast<double>(shape.elements()) * static_cast<double>(spec.features(dim)) *
                            (spec.map == FeatureMap::favor ? 2 : 1);
  LinearAttentionState state;  // as in training
  return measure_attention(backend, options, shape,
                           {causal, operations,
                            [&](const AttentionTensors& in, const Tensor& out, const Tensor& denominators) {
                              state = state_for_backward(backend, spec, in);
                              backend.linear_attention(spec, in, out, denominators, state);
                            },
                            [&](const AttentionTensors& in, const Tensor& out, const Tensor& denominators,
                                const Tensor& dout, const AttentionTensors& gradients) {
                              backend.linear_attention_backward(spec, in, out, denominators, state, dout, gradients);
                            }});
}

std::vector<AttentionSpeed> bench_softmax_attention(Backend& backend, const KernelBenchOptions& options, bool causal) {
  const Shape shape = checked_shape(options, 8);
  const PackedLengths packed(options.lengths);
  std::vector<int32_t> limits = packed.positions;
  for (int32_t& limit : limits) ++limit;
  double pairs = 0;  // of queries and keys
  for (const int64_t length : options.lengths) pairs += static_cast<double>(length) * static_cast<double>(length);
  AttentionSpec spec{.heads = options.heads,
                     .scale = 1 / std::sqrt(static_cast<double>(options.head_dim)),
                     .query_offsets = packed.offsets,
                     .key_offsets = packed.offsets,
                     .score_cap = options.score_cap};
  const KeyWindow window = options.window == 0 ? KeyWindow()
                           : causal            ? causal_window(options.window)
                                               : symmetric_window(options.window);
  const VisibleKeys visible =
      within_window(causal ? Indices(limits) : Indices(), window, packed.offsets, packed.offsets);
  spec.key_starts = visible.begins;
  spec.key_ends = visible.limits;
  return measure_attention(backend, options, shape,
                           {causal, 4 * pairs * static_cast<double>(shape[1]),
                            [&](const AttentionTensors& in, const Tensor& out, const Tensor& log_sum_exp) {
                              backend.attention(spec, in, out, log_sum_exp);
                            },
                            [&](const AttentionTensors& in, const Tensor& out, const Tensor& log_sum_exp,
                                const Tensor& dout, const AttentionTensors& gradients) {
                              backend.attention_backward(spec, in, out, log_sum_exp, dout, gradients, {});
                            }});
}

}  // namespace

std::vector<AttentionSpeed> bench_attention(Backend& backend, const KernelBenchOptions& options) {
  const auto measure = options.attention == AttentionKind::softmax ? bench_softmax_attention : bench_linear_attention;
  std::vector<AttentionSpeed> speeds;
  for (const bool causal : {false, true}) {
    if (!(causal ? options.causal : options.bidirectional)) continue;
    const std::vector<AttentionSpeed> of_one = measure(backend, options, causal);
    speeds.insert(speeds.end(), of_one.begin(), of_one.end());
  }
  return speeds;
}

std::vector<ProductSpeed> bench_products(Backend& backend, const KernelBenchOptions& options,
                                         const std::vector<ProductShape>& shapes) {
  int64_t tokens = 0;
  for (const int64_t length : options.lengths) tokens += length;
  std::vector<Tensor> weights;
  weights.reserve(shapes.size());
  for (const ProductShape& shape : shapes) weights.push_back(random(backend, {shape.outputs, shape.inputs}, 1));
  const auto prepared = backend.prepare(weights, PassSize::many_tokens);
  std::vector<std::function<void()>> contestants;
  for (size_t i = 0; i < shapes.size(); ++i) {
    const WeightView weight(weights[i], prepared[i].get(), true);
    contestants.push_back([&backend, weight, x = random(backend, {tokens, shapes[i].inputs}, 2),
                           bias = backend.zeros({shapes[i].outputs}),
                           out = backend.zeros({tokens, shapes[i].outputs})] {
      backend.linear(x, weight, bias, Activation::none, out, Tensor());
    });
    contestants.back()();
  }
  const std::vector<double> seconds = medians(options, contestants);
  std::vector<ProductSpeed> speeds;
  for (size_t i = 0; i < shapes.size(); ++i) {
    const double operations = 2 * static_cast<double>(tokens * shapes[i].inputs * shapes[i].outputs);
    speeds.push_back({shapes[i], seconds[i], operations / seconds[i] / 1e9});
  }
  return speeds;
}

}  // namespace roformer
