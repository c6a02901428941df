// Micro-benchmarks of the cpu backend's kernels, in GFLOP/s for products and bytes/s for what memory bounds. Two
// threads. Figures of different machines do not compare; memcpy and one large matrix product are there as this
// machine's yardsticks.
#include <benchmark/benchmark.h>

#include <cmath>
#include <cstring>
#include <numeric>
#include <vector>

#include "backend/backend.h"
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

void BM_Attention(benchmark::State& state) {
  const Machine machine;
  const int64_t length = state.range(0), sequences = state.range(1), heads = 12, dim = 64, tokens = length * sequences;
  std::vector<int32_t> offsets;
  for (int64_t s = 0; s <= sequences; ++s) offsets.push_back(static_cast<int32_t>(s * length));
  std::vector<int32_t> limits;  // causal
  for (int64_t t = 0; state.range(2) != 0 && t < tokens; ++t) limits.push_back(static_cast<int32_t>(t % length) + 1);
  const AttentionSpec spec{
      .heads = heads, .scale = 0.125, .query_offsets = offsets, .key_offsets = offsets, .key_limits = limits};
  const AttentionTensors in{machine.random({tokens, heads * dim}), machine.random({tokens, heads * dim}),
                            machine.random({tokens, heads * dim})};
  const Tensor out = machine.random({tokens, heads * dim}), log_sum_exp = machine.random({heads, tokens});
  for (auto _ : state) machine.backend->attention(spec, in, out, log_sum_exp);
  count_operations(state, 4.0 * static_cast<double>(sequences * length * length * heads * dim));
}
BENCHMARK(BM_Attention)
    ->ArgNames({"length", "sequences", "causal"})
    ->Args({14, 256, 0})
    ->Args({128, 32, 0})
    ->Args({512, 4, 0})
    ->Args({2048, 1, 0})
    ->Args({2048, 1, 1})
    ->Args({8192, 1, 0})
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
  for (auto _ : state) machine.backend->adamw({.step = 10, .learning_rate = 1e-6}, g, p, m, v);
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
