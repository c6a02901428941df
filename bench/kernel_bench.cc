// Micro-benchmarks of the CPU backend's kernels: the benchmarks of every family of tests/backend, forward and backward,
// in every number type; products in FLOP/s, memory-bound kernels in bytes/s. Two threads. memcpy is the machine's
// baseline.
#include <benchmark/benchmark.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "backend/cpu/rows/rows.h"
#include "tests/backend/families.h"

namespace roformer::test {
namespace {

void BM_Memcpy(benchmark::State& state) {
  std::vector<char> from(64 << 20, 1), to(from.size());
  for (auto _ : state) {
    std::memcpy(to.data(), from.data(), from.size());
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * 2 * static_cast<int64_t>(from.size()));
}
BENCHMARK(BM_Memcpy)->UseRealTime();

enum class Direction { forward, backward };

void time_operation(benchmark::State& state, const Benchmark& one, Precision precision, Direction direction) {
  ThreadPool pool(2);
  const std::unique_ptr<Backend> backend = make_cpu_backend(pool, precision);
  Trial trial(*backend, 1, false);
  trial.on_operation([&](const Operation& operation) {
    if (operation.setup) operation.setup();
    operation.forward();
    const bool forward = direction == Direction::forward;
    for (auto _ : state) forward ? operation.forward() : operation.backward();
    const double operations = forward ? operation.operations : operation.backward_operations;
    if (operations > 0) {
      state.counters["FLOP/s"] =
          benchmark::Counter(operations * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
    }
    const int64_t bytes = forward ? operation.bytes : operation.backward_bytes;
    if (bytes > 0) state.SetBytesProcessed(state.iterations() * bytes);
  });
  one.run(trial);
}

void register_family(const Family& family) {
  std::vector<Precision> precisions = {Precision::float32};
  if (family.rounds == Rounds::products || family.rounds == Rounds::attention) {
    precisions.insert(precisions.end(), {Precision::bfloat16, Precision::int8});
  }
  for (const Benchmark& one : family.benchmarks) {
    for (const Precision precision : precisions) {
      for (const Direction direction : {Direction::forward, Direction::backward}) {
        const bool backward = direction == Direction::backward;
        if (backward && (!one.backward || precision == Precision::int8)) continue;  // int8 is inference-only
        const std::string name =
            family.name + ", " + one.sizes + "/" + precision_name(precision) + (backward ? "/backward" : "/forward");
        benchmark::RegisterBenchmark(name.c_str(), time_operation, one, precision, direction)->UseRealTime();
      }
    }
  }
}

}  // namespace
}  // namespace roformer::test

int main(int argc, char** argv) {
  benchmark::AddCustomContext("simd", roformer::rows::target_name());
  benchmark::Initialize(&argc, argv);
  for (const roformer::test::Family& family : roformer::test::families()) {
    roformer::test::register_family(family);
  }
  benchmark::RunSpecifiedBenchmarks();
}
