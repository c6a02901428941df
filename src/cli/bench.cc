// roformer bench: speed on this machine.
#include "tasks/bench.h"

#include <fmt/ranges.h>

#include <chrono>
#include <iostream>

#include "base/error.h"
#include "base/json.h"
#include "cli/bench_profile.h"
#include "cli/engine.h"
#include "cli/registry.h"
#include "tasks/bench_kernels.h"
#include "tasks/forward.h"

namespace roformer {
namespace {

struct BenchCommand {
  BenchOptions bench{.lengths = {128, 128, 128, 128}};
  EngineOptions engine;
  ShapeOptions shape;
  std::string model, mode = "inference", direction = "both", ids;
  int64_t vocabulary = 8000;
  int64_t seed = 1;
  bool profile = false;
  bool json = false;
};

void describe(OptionSet& set, BenchCommand& options) {
  set.section("Model");
  set.add("--model", options.model, "measure this model instead of a shape with random weights", "DIR");
  add_shape(set, options.shape);
  set.add("--vocab-size", options.vocabulary, "tokens of the vocabulary", {1, 10'000'000});
  set.section("Measurement");
  set.add("--lengths", options.bench.lengths, "the packed sequences of one pass", {1, 1 << 24});
  set.add("--ids", options.ids, "JSON as of forward: pass these ids instead of random ones", "FILE");
  set.add_choice("--mode", options.mode, {"inference", "training", "rotation", "attention"},
                 "the forward pass to the last hidden state; a whole MLM training step; or one kernel alone with the "
                 "heads of the shape, forward and backward: rotation in place in both layouts beside memcpy, attention "
                 "(the first layer's kind; linear attention turns unless --position has no rotation)");
  set.add_choice("--direction", options.direction, {"both", "bidirectional", "causal"}, "of --mode attention");
  set.add("--profile", options.profile,
          "where the time goes: each operator's, its share, its rate, and how near that is to this machine's best");
  set.add("--passes", options.bench.passes, "at least", {1, 1'000'000});
  set.add("--seconds", options.bench.seconds, "at least", {0, 1e6});
  add_seed(set, options.seed);
  add_json(set, options.json);
  add_engine(set, options.engine);
}

ModelConfig shape_of(const BenchCommand& options) {
  ModelConfig config = options.shape.apply(preset_config(options.shape.preset));
  config.vocabulary = options.vocabulary;
  for (const int64_t length : options.bench.lengths) config.max_positions = std::max(config.max_positions, length);
  complete(config, "");
  return config;
}

Model make_model(const BenchCommand& options, Backend& backend) {
  const bool training = options.mode == "training";
  if (!options.model.empty()) return load_model(options.model, backend, training);
  Model model(backend, shape_of(options), training);
  model.initialise({static_cast<uint64_t>(options.seed), 0});
  return model;
}

void run_model(const BenchCommand& options, const Engine& engine) {
  const auto begin = std::chrono::steady_clock::now();
  Model model = make_model(options, *engine.backend);
  const std::chrono::duration<double, std::milli> load = std::chrono::steady_clock::now() - begin;
  BenchOptions bench_options = options.bench;
  bench_options.training = options.mode == "training";
  if (!options.ids.empty()) bench_options.ids = read_input_ids(options.ids, model.config().vocabulary);
  Profile profile;
  if (options.profile) bench_options.profile = &profile;
  const BenchResult result = bench(model, bench_options);
  const MachinePeaks peaks = options.profile ? engine.backend->measure_peaks() : MachinePeaks{};
  if (options.json) {
    Json line{{"tokens_per_second", result.tokens_per_second},
              {"gflops", result.gflops},
              {"peak_memory", result.peak_memory},
              {"passes", result.passes},
              {"load_ms", load.count()},
              {"first_pass_ms", result.first_pass * 1e3},
              {"threads", engine.backend->pool().threads()},
              {"mode", options.mode},
              {"parameters", model.config().parameters()}};
    if (bench_options.training) line.update({{"first_loss", result.first_loss}, {"last_loss", result.last_loss}});
    if (options.profile) line.update({{"profile", profile_json(profile, result)}, {"peaks", peaks_json(peaks)}});
    std::cout << dump_json(line) << "\n";
    return;
  }
  if (options.profile) std::cout << profile_table(profile, result, peaks, engine.backend->precision()) << "\n";
  std::cout << fmt::format(
      "{}: {:.0f} tokens/s, {:.1f} GFLOP/s, {:.0f} MB peak ({} parameters, {} threads, {} passes), ready in {:.1f} "
      "ms\n",
      options.mode, result.tokens_per_second, result.gflops, static_cast<double>(result.peak_memory) / 1e6,
      model.config().parameters(), engine.backend->pool().threads(), result.passes, load.count());
}

KernelBenchOptions kernel_options(const BenchCommand& options) {
  if (!options.ids.empty()) throw UsageError("--ids: --mode {} takes --lengths", options.mode);
  const ModelConfig config = options.model.empty() ? shape_of(options) : read_config(options.model + "/config.json");
  return {.lengths = options.bench.lengths,
          .heads = config.heads,
          .head_dim = config.head_dim(),
          .seconds = options.bench.seconds,
          .passes = options.bench.passes,
          .attention = config.attention_of(0),
          .bidirectional = options.direction != "causal",
          .causal = options.direction != "bidirectional",
          .rotate = std::holds_alternative<RotaryPosition>(config.position),
          .rotation = config.linear.rotation,
          .favor_features = config.linear.favor_features};
}

void run_rotation(const BenchCommand& options, const Engine& engine) {
  for (const RotationSpeed& speed : bench_rotation(*engine.backend, kernel_options(options))) {
    const std::string_view layout = rotary_layout_name(speed.layout);
    if (options.json) {
      std::cout << dump_json({{"mode", options.mode},
                              {"layout", layout},
                              {"backward", speed.backward},
                              {"ms", speed.seconds * 1e3},
                              {"bytes_per_second", speed.bytes_per_second},
                              {"memcpy_bytes_per_second", speed.memcpy_bytes_per_second},
                              {"threads", engine.backend->pool().threads()}})
                << "\n";
    } else {
      std::cout << fmt::format("rotation {} {:<9} {:.3f} ms, {:.1f} GB/s read and written, memcpy {:.1f} GB/s\n",
                               speed.backward ? "backward" : "forward ", layout, speed.seconds * 1e3,
                               speed.bytes_per_second / 1e9, speed.memcpy_bytes_per_second / 1e9);
    }
  }
}

void run_attention(const BenchCommand& options, const Engine& engine) {
  const KernelBenchOptions kernel = kernel_options(options);
  const bool linear = kernel.attention != AttentionKind::softmax;
  for (const AttentionSpeed& speed : bench_attention(*engine.backend, kernel)) {
    if (options.json) {
      Json line({{"mode", options.mode},
                 {"attention", attention_name(kernel.attention)},
                 {"causal", speed.causal},
                 {"backward", speed.backward},
                 {"ms", speed.seconds * 1e3},
                 {"gflops", speed.gflops},
                 {"threads", engine.backend->pool().threads()}});
      if (speed.memory) line["memory"] = *speed.memory;
      std::cout << dump_json(line) << "\n";
    } else {
      std::cout << fmt::format("{}{} {} {:.3f} ms, {:.1f} GFLOP/s\n",
                               linear ? attention_name(kernel.attention) : "attention", speed.causal ? " causal" : "",
                               speed.backward ? "backward" : "forward ", speed.seconds * 1e3, speed.gflops);
    }
  }
}

void run(const BenchCommand& options) {
  if (options.mode == "training" && options.engine.dtype == "int8") {
    throw UsageError("training computes in float32 or bfloat16; int8 is for inference");
  }
  const Engine engine(options.engine);
  if (options.mode == "rotation") return run_rotation(options, engine);
  if (options.mode == "attention") return run_attention(options, engine);
  run_model(options, engine);
}

}  // namespace

Command bench_command() {
  return {.name = "bench",
          .summary = "Measure the speed of a model shape on this machine",
          .group = "This program",
          .example = "roformer bench --preset demo --mode training --lengths 128,128,128,128",
          .prepare = prepare_with(describe, run)};
}

}  // namespace roformer
