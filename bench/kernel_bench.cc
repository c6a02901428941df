// Micro-benchmarks of the cpu backend's kernels, in GFLOP/s for products and bytes/s for what memory bounds. Two
// threads. Figures of different machines do not compare; memcpy and one large matrix product are there as this
// machine's yardsticks.
#include <benchmark/benchmark.h>

#include <cmath>
#include <cstring>
#include <numeric>
#include <vector>

#include "backend/backend.h"
#include "backend/cpu/attention.h"
#include "backend/cpu/rows.h"

namespace roformer {
namespace {

struct Machine {
  ThreadPool pool{2};
  std::unique_ptr<Backend> backend = make_cpu_backend(pool);

  Tensor random(Shape shape) const {
    const Tensor x = backend->empty(shape);
    Generator generator({1, 2});
    for (int64_t i = 0; i < x.elements(); ++i) x.data<float>()[i] = static_cast<float>(generator.uniform() - 0.5);
    return x;
  }
};

void count_operations(benchmark::State& state, double operations) {
  state.counters["FLOP/s"] =
      benchmark::Counter(operations * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}

void BM_Memcpy(benchmark::State& state) {
  std::vector<char> from(64 << 20, 1), to(from.size());
  for (auto _ : state) {
    std::memcpy(to.data(), from.data(), from.size());
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * 2 * static_cast<int64_t>(from.size()));
}
BENCHMARK(BM_Memcpy)->UseRealTime();

void BM_Linear(benchmark::State& state) {
  const Machine machine;
  const int64_t tokens = state.range(0), inputs = state.range(1), outputs = state.range(2);
  const Tensor x = machine.random({tokens, inputs}), w = machine.random({outputs, inputs}),
               b = machine.random({outputs}), out = machine.random({tokens, outputs});
  for (auto _ : state) machine.backend->linear(x, w, b, Activation::gelu, out, Tensor());
  count_operations(state, 2.0 * static_cast<double>(tokens * inputs * outputs));
}
BENCHMARK(BM_Linear)
    ->Args({4096, 256, 1024})
    ->Args({2048, 768, 3072})
    ->Args({2048, 3072, 768})
    ->Args({448, 384, 1536})
    ->Args({448, 1536, 384})
    ->Args({128, 768, 3072})
    ->Args({16, 768, 3072})
    ->UseRealTime();

void BM_LinearBackwardWeight(benchmark::State& state) {
  const Machine machine;
  const int64_t tokens = state.range(0), inputs = state.range(1), outputs = state.range(2);
  const Tensor x = machine.random({tokens, inputs}), dw = machine.random({outputs, inputs}),
               db = machine.random({outputs}), dout = machine.random({tokens, outputs});
  for (auto _ : state) machine.backend->linear_backward_weight(dout, x, dw, db);
  count_operations(state, 2.0 * static_cast<double>(tokens * inputs * outputs));
}
BENCHMARK(BM_LinearBackwardWeight)->Args({4096, 256, 1024})->Args({2048, 768, 3072})->UseRealTime();

void BM_Rotate(benchmark::State& state) {
  const Machine machine;
  const int64_t tokens = 8192, heads = 12, dim = 64;
  const auto layout = state.range(0) == 0 ? RotaryLayout::adjacent : RotaryLayout::half;
  std::vector<int32_t> positions(static_cast<size_t>(tokens));
  std::iota(positions.begin(), positions.end(), 0);
  const RotaryAngles angles = machine.backend->rotary_angles({dim, layout, 10000}, positions);
  // Both: one alone would stay in a large last-level cache.
  const Tensor q = machine.random({tokens, heads * dim}), k = machine.random({tokens, heads * dim});
  const bool backward = state.range(1) != 0;
  for (auto _ : state) {
    machine.backend->rotate(q, heads, angles, backward);
    machine.backend->rotate(k, heads, angles, backward);
  }
  state.SetBytesProcessed(state.iterations() * 2 * (q.bytes() + k.bytes()));
  state.SetLabel(std::string(rotary_layout_name(layout)));
}
BENCHMARK(BM_Rotate)->ArgNames({"half", "backward"})->ArgsProduct({{0, 1}, {0, 1}})->UseRealTime();

// One attention of 12 heads of 64: tensors, offsets and, if causal, limits.
struct AttentionBench : Machine {
  AttentionBench(int64_t length, int64_t sequences, bool causal) : tokens(length * sequences) {
    for (int64_t s = 0; s <= sequences; ++s) offsets.push_back(static_cast<int32_t>(s * length));
    for (int64_t t = 0; causal && t < tokens; ++t) limits.push_back(static_cast<int32_t>(t % length) + 1);
    positions.resize(static_cast<size_t>(tokens));
    for (int64_t t = 0; t < tokens; ++t) positions[static_cast<size_t>(t)] = static_cast<int32_t>(t % length);
    spec = {.heads = kHeads, .scale = 0.125, .query_offsets = offsets, .key_offsets = offsets, .key_limits = limits};
    operations = 4.0 * static_cast<double>(tokens * length * kHeads * kDim);
  }

  static constexpr int64_t kHeads = 12, kDim = 64;
  int64_t tokens;
  std::vector<int32_t> offsets, limits, positions;
  AttentionSpec spec;
  AttentionTensors in{matrix(), matrix(), matrix()};
  Tensor out = matrix(), log_sum_exp = random({kHeads, tokens});
  double operations;  // of the two products

  Tensor matrix() const { return random({tokens, kHeads * kDim}); }
};

void BM_Attention(benchmark::State& state) {
  const AttentionBench bench(state.range(0), state.range(1), state.range(2) != 0);
  for (auto _ : state) bench.backend->attention(bench.spec, bench.in, bench.out, bench.log_sum_exp);
  count_operations(state, bench.operations);
}
BENCHMARK(BM_Attention)
    ->ArgNames({"length", "sequences", "causal"})
    ->Args({16, 1, 0})
    ->Args({14, 256, 0})
    ->Args({128, 32, 0})
    ->Args({512, 4, 0})
    ->Args({2048, 1, 0})
    ->Args({2048, 1, 1})
    ->Args({8192, 1, 0})
    ->UseRealTime();

// As fused inference calls it: rotated while loaded, in float32 or bfloat16.
void BM_AttentionRotated(benchmark::State& state) {
  AttentionBench bench(state.range(0), state.range(1), false);
  const Precision precision = state.range(2) == 0 ? Precision::float32 : Precision::bfloat16;
  const RotaryAngles angles =
      bench.backend->rotary_angles({AttentionBench::kDim, RotaryLayout::adjacent, 10000}, bench.positions);
  for (auto _ : state) {
    attention_forward(bench.pool, bench.spec, bench.in, &angles, &angles, false, precision, bench.out, Tensor());
  }
  count_operations(state, bench.operations);
}
BENCHMARK(BM_AttentionRotated)
    ->ArgNames({"length", "sequences", "bfloat16"})
    ->ArgsProduct({{128}, {32}, {0, 1}})
    ->ArgsProduct({{512}, {4}, {0, 1}})
    ->ArgsProduct({{2048, 8192}, {1}, {0, 1}})
    ->UseRealTime();

// FLOP/s as if it were the forward's two products: it has five.
void BM_AttentionBackward(benchmark::State& state) {
  AttentionBench bench(state.range(0), state.range(1), false);
  const Precision precision = state.range(2) == 0 ? Precision::float32 : Precision::bfloat16;
  const std::unique_ptr<Backend> backend = make_cpu_backend(bench.pool, precision);
  const Tensor dout = bench.matrix();
  const AttentionTensors gradients{bench.matrix(), bench.matrix(), bench.matrix()};
  backend->attention(bench.spec, bench.in, bench.out, bench.log_sum_exp);
  for (auto _ : state) {
    backend->attention_backward(bench.spec, bench.in, bench.out, bench.log_sum_exp, dout, gradients, {});
  }
  count_operations(state, bench.operations);
}
BENCHMARK(BM_AttentionBackward)
    ->ArgNames({"length", "sequences", "bfloat16"})
    ->ArgsProduct({{14}, {256}, {0, 1}})
    ->ArgsProduct({{128}, {32}, {0, 1}})
    ->ArgsProduct({{512}, {4}, {0, 1}})
    ->ArgsProduct({{2048, 8192}, {1}, {0, 1}})
    ->UseRealTime();

void BM_LayerNorm(benchmark::State& state) {
  const Machine machine;
  const int64_t tokens = 4096, width = state.range(0);
  const Tensor x = machine.random({tokens, width}), residual = machine.random({tokens, width}),
               gain = machine.random({width}), bias = machine.random({width}), sum = machine.random({tokens, width}),
               statistics = machine.random({tokens, 2}), out = machine.random({tokens, width});
  const Dropout dropout{state.range(1) == 0 ? 0.0 : 0.1, {1, 1}};
  for (auto _ : state) {
    machine.backend->layer_norm(x, residual, dropout, gain, bias, 1e-12, sum, statistics, out);
  }
  state.SetBytesProcessed(state.iterations() * 4 * x.bytes());
}
BENCHMARK(BM_LayerNorm)->Args({256, 0})->Args({256, 1})->Args({768, 0})->UseRealTime();

void BM_AdamW(benchmark::State& state) {
  const Machine machine;
  const Shape shape{4096, 1024};
  const Tensor g = machine.random(shape), p = machine.random(shape), m = machine.random(shape),
               v = machine.random(shape);
  machine.backend->fill(v, 1);
  const AdamWTensors tensors{g, p, m, v};
  for (auto _ : state) machine.backend->adamw({.step = 10, .learning_rate = 1e-6}, {&tensors, 1});
  state.SetBytesProcessed(state.iterations() * 7 * p.bytes());
}
BENCHMARK(BM_AdamW)->UseRealTime();

}  // namespace
}  // namespace roformer

int main(int argc, char** argv) {
  benchmark::AddCustomContext("simd", roformer::rows::target_name());
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
