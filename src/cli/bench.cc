// roformer bench: speed on this machine.
#include "lab/bench.h"

#include <fmt/ranges.h>

#include <iostream>
#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "cli/bench_profile.h"
#include "cli/engine.h"
#include "cli/processor.h"
#include "cli/registry.h"
#include "formats/directory_weights.h"
#include "inference/forward.h"
#include "lab/bench_decoding.h"
#include "lab/bench_kernels.h"
#include "lab/work_grid.h"

namespace roformer {
namespace {

struct BenchCommand {
  BenchOptions bench{.lengths = {128, 128, 128, 128}};
  DecodingBenchOptions decoding;
  EngineOptions engine;
  ShapeOptions shape;
  std::string model, config, mode = "inference", direction = "both", ids, trace;
  std::optional<int64_t> vocabulary;
  std::vector<int64_t> cores;
  int64_t seed = 1, window = 0;
  double score_cap = 0;
  bool profile = false;
  bool json = false;
};

void describe(OptionSet& set, BenchCommand& options) {
  set.section("Model");
  set.add("--model", options.model, "measure this model instead of a shape with random weights", "DIR");
  add_shape(set, options.shape);
  set.add("--config", options.config, "a config.json whose shape to start from instead of a preset's", "FILE");
  set.add("--vocab-size", options.vocabulary,
          "vocabulary size (default: 8000; with --config or --mode decoding the shape's own)", {1, 10'000'000});
  set.section("Measurement");
  set.add("--lengths", options.bench.lengths, "lengths of the packed sequences of one pass", {1, 1 << 24});
  set.add("--ids", options.ids, "JSON as for forward: use these ids instead of random ones", "FILE");
  set.add_choice(
      "--mode", options.mode, {"inference", "training", "decoding", "rotation", "attention", "products"},
      "the forward pass to the last hidden state; a whole training step (MLM, or CLM of a causal model); greedy "
      "decoding of a causal model, compared with reading its weights at memory bandwidth; or one kernel "
      "alone: the products of a layer with weights; with the heads of the shape, forward and backward: rotation in "
      "place in both layouts compared with "
      "memcpy and with negation in place, attention (the first layer's kind; linear attention rotates unless "
      "--position has no rotation)");
  set.add_choice("--direction", options.direction, {"both", "bidirectional", "causal"},
                 "attention: directions to measure");
  set.add("--window", options.window,
          "attention: each query sees keys at most half of it away, a causal one as many, itself included; "
          "0: all",
          {0, 1 << 24});
  set.add("--score-cap", options.score_cap, "attention: scores become cap · tanh(score / cap); 0: uncapped", {0, 1e6});
  set.add("--batches", options.decoding.batches, "decoding: batch sizes", {1, 4096});
  set.add("--prompt-tokens", options.decoding.prompt, "decoding: random tokens per prompt", {1, 1 << 24});
  set.add("--new-tokens", options.decoding.tokens, "decoding: tokens to generate before starting again from the prompt",
          {1, 1 << 24});
  set.add(
      "--profile", options.profile,
      "show where the time goes: per operator its time, share, rate, and the fraction of this machine's measured peak "
      "of matrix products, or of copies from memory to memory; in cache = faster than such copies");
  set.add("--trace", options.trace,
          "inference, training: write when each thread was in which operator, for chrome://tracing or ui.perfetto.dev",
          "FILE");
  set.add(
      "--cores", options.cores,
      "inference, training: how the work would be divided among so many cores: tasks between barriers, the longest of "
      "them, and how busy cores would be if memory and caches kept up; computed from tasks measured here",
      {1, 1024});
  set.add("--gradient-checkpointing", options.bench.gradient_checkpointing,
          "training: compute each layer again in the backward pass instead of keeping its activations");
  set.add("--passes", options.bench.passes, "minimum number of passes", {1, 1'000'000});
  set.add("--seconds", options.bench.seconds, "minimum duration in seconds", {0, 1e6});
  add_seed(set, options.seed);
  add_json(set, options.json);
  add_engine(set, options.engine);
}

ModelConfig shape_of(const BenchCommand& options) {
  std::vector<std::string> warnings;
  ModelConfig config = options.shape.apply(options.config.empty() ? preset_config(options.shape.preset)
                                                                  : read_config_to_train(options.config, warnings));
  std::ranges::for_each(warnings, print_warning);
  constexpr int64_t kVocabulary = 8000;
  const bool own = !options.config.empty() || options.mode == "decoding";
  config.vocabulary = options.vocabulary.value_or(own ? config.vocabulary : kVocabulary);
  if (!options.shape.position_options.max_positions) {
    for (const int64_t length : options.bench.lengths) config.max_positions = std::max(config.max_positions, length);
    config.max_positions = std::max(config.max_positions, options.decoding.prompt + options.decoding.tokens);
  }
  complete(config, "");
  return config;
}

Model make_model(const BenchCommand& options, Backend& backend) {
  const bool training = options.mode == "training";
  const auto make = [&] {
    if (!options.model.empty()) {
      LoadNotes notes;
      Model loaded = load_model(options.model, backend, training, &notes);
      print_warnings(notes);
      return loaded;
    }
    Model model(backend, shape_of(options), training);
    model.initialize({static_cast<uint64_t>(options.seed), 0});
    return model;
  };
  Model model = make();
  if (!training) model.prepare();
  return model;
}

double megabytes(int64_t bytes) { return static_cast<double>(bytes) / 1e6; }

Json numbers_json(const Backend& backend) {
  Json object = Json::object();
  for (const NumberTypeUse& use : backend.number_types()) object[use.what] = use.with;
  return object;
}

// Peak memory of the process, in every mode.
int64_t peak() { return peak_memory().value_or(0); }

BenchOptions bench_options_of(const BenchCommand& options, const Model& model) {
  BenchOptions result = options.bench;
  result.training = options.mode == "training";
  if (model.config().head == Head::causal_lm) result.label_share = 1;
  if (!options.ids.empty()) result.ids = read_input_ids(options.ids, model.config().vocabulary);
  return result;
}

void run_model(const BenchCommand& options, const Engine& engine) {
  const double begin = now_seconds();
  Model model = make_model(options, *engine.backend);
  const double load = (now_seconds() - begin) * 1000;  // milliseconds
  BenchOptions bench_options = bench_options_of(options, model);
  Profile profile({.events = !options.trace.empty()});
  if (options.profile || !options.trace.empty()) bench_options.profile = &profile;
  const BenchResult result = bench(model, bench_options);
  if (!options.trace.empty()) write_file_atomically(options.trace, dump_json(trace_json(profile)) + "\n");
  const MachinePeaks peaks = options.profile ? engine.backend->measure_peaks() : MachinePeaks{};
  const ProfiledTime time{result.passes, result.measured};
  if (options.json) {
    Json line{{"tokens_per_second", result.tokens_per_second},
              {"gflops", result.gflops},
              {"weight_bytes", result.weight_bytes},
              {"peak_memory", result.peak_memory},
              {"numbers", numbers_json(*engine.backend)},
              {"passes", result.passes},
              {"load_ms", load},
              {"first_pass_ms", result.first_pass * 1e3},
              {"threads", engine.backend->pool().threads()},
              {"mode", options.mode},
              {"parameters", model.config().parameters()}};
    if (bench_options.training) line.update({{"first_loss", result.first_loss}, {"last_loss", result.last_loss}});
    if (options.profile)
      line.update({{"profile", profile_json(profile.entries(), time)}, {"peaks", peaks_json(peaks)}});
    std::cout << dump_json(line) << "\n";
    return;
  }
  if (options.profile) std::cout << profile_table(profile.entries(), time, peaks, engine.backend->precision()) << "\n";
  std::cout << fmt::format(
      "{}: {:.0f} tokens/s, {:.1f} GFLOP/s, {:.0f} MB peak, {:.0f} MB of weights ({} parameters, {} threads, {} "
      "passes), ready in {:.1f} ms\n{}\n",
      options.mode, result.tokens_per_second, result.gflops, megabytes(result.peak_memory),
      megabytes(result.weight_bytes), model.config().parameters(), engine.backend->pool().threads(), result.passes,
      load, numbers_line(*engine.backend));
}

void run_on_paper(const BenchCommand& options) {
  for (const int64_t cores : options.cores) {
    EngineOptions divided = options.engine;
    divided.divided_for = cores;
    const Engine engine(divided);
    Model model = make_model(options, *engine.backend);
    BenchOptions bench_options = bench_options_of(options, model);
    Profile profile({.regions = true});
    bench_options.profile = &profile;
    const BenchResult result = bench(model, bench_options);
    const WorkGrid grid = work_grid(profile.regions(), result.measured, result.passes, cores);
    std::cout << (options.json ? dump_json(grid_json(grid)) : grid_table(grid)) << "\n";
  }
}

KernelBenchOptions kernel_options(const BenchCommand& options) {
  if (!options.ids.empty())
    throw UsageError("{}: {} {} takes {}", FieldName("ids"), FieldName("mode"), options.mode, FieldName("lengths"));
  const ModelConfig config = options.model.empty() ? shape_of(options) : find_model(options.model).config;
  return {.lengths = options.bench.lengths,
          .heads = config.heads,
          .head_dim = config.head_dim(),
          .seconds = options.bench.seconds,
          .passes = options.bench.passes,
          .attention = config.attention_of(0),
          .bidirectional = options.direction != "causal",
          .causal = options.direction != "bidirectional",
          .window = options.window,
          .score_cap = options.score_cap,
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
                              {"in_place_bytes_per_second", speed.in_place_bytes_per_second},
                              {"peak_memory", peak()},
                              {"threads", engine.backend->pool().threads()}})
                << "\n";
    } else {
      std::cout << fmt::format(
          "rotation {} {:<9} {:.3f} ms, {:.1f} GB/s read and written, memcpy {:.1f} GB/s, negation in place {:.1f} "
          "GB/s, {:.0f} MB peak\n",
          speed.backward ? "backward" : "forward ", layout, speed.seconds * 1e3, speed.bytes_per_second / 1e9,
          speed.memcpy_bytes_per_second / 1e9, speed.in_place_bytes_per_second / 1e9, megabytes(peak()));
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
                 {"peak_memory", peak()},
                 {"threads", engine.backend->pool().threads()}});
      if (speed.memory) line["memory"] = *speed.memory;
      std::cout << dump_json(line) << "\n";
    } else {
      std::cout << fmt::format("{}{} {} {:.3f} ms, {:.1f} GFLOP/s, {:.0f} MB peak\n",
                               linear ? attention_name(kernel.attention) : "attention", speed.causal ? " causal" : "",
                               speed.backward ? "backward" : "forward ", speed.seconds * 1e3, speed.gflops,
                               megabytes(peak()));
    }
  }
}

void run_products(const BenchCommand& options, const Engine& engine) {
  const ModelConfig config = options.model.empty() ? shape_of(options) : find_model(options.model).config;
  const int64_t queries = config.heads * config.head_dim(), keys = config.key_heads() * config.head_dim();
  const std::vector<ProductShape> shapes{
      {"query, key, value", config.hidden, queries + 2 * keys},
      {"attention output", queries, config.hidden},
      {"feed-forward up projection", config.hidden, (config.gated ? 2 : 1) * config.intermediate},
      {"feed-forward down projection", config.intermediate, config.hidden}};
  const MachinePeaks peaks = options.profile ? engine.backend->measure_peaks() : MachinePeaks{};
  for (const ProductSpeed& speed : bench_products(*engine.backend, kernel_options(options), shapes)) {
    if (options.json) {
      std::cout << dump_json({{"mode", options.mode},
                              {"product", speed.shape.name},
                              {"inputs", speed.shape.inputs},
                              {"outputs", speed.shape.outputs},
                              {"ms", speed.seconds * 1e3},
                              {"gflops", speed.gflops},
                              {"threads", engine.backend->pool().threads()}})
                << "\n";
    } else {
      std::cout << fmt::format("{:<28} [{}, {}] {:.3f} ms, {:.1f} GFLOP/s\n", speed.shape.name, speed.shape.outputs,
                               speed.shape.inputs, speed.seconds * 1e3, speed.gflops);
    }
  }
  if (!options.profile) return;
  if (options.json) {
    std::cout << dump_json({{"peaks", peaks_json(peaks)}}) << "\n";
  } else {
    std::cout << peaks_line(peaks);
  }
}

void run_decoding(const BenchCommand& options, const Engine& engine) {
  if (!options.ids.empty())
    throw UsageError("{}: {} decoding takes {}", FieldName("ids"), FieldName("mode"), FieldName("prompt_tokens"));
  const Model model = make_model(options, *engine.backend);
  DecodingBenchOptions decoding = options.decoding;
  decoding.seconds = options.bench.seconds;
  decoding.passes = options.bench.passes;
  decoding.profile = options.profile;
  const DecodingBenchResult result = bench_decoding(model, decoding);
  const MachinePeaks peaks = options.profile ? engine.backend->measure_peaks() : MachinePeaks{};
  const Processor processor = read_processor();
  const int threads = engine.backend->pool().threads();
  for (const DecodingSpeed& speed : result.speeds) {
    const ProfiledTime time{speed.steps, speed.measured};
    if (options.json) {
      Json line{{"mode", options.mode},
                {"batch", speed.batch},
                {"tokens_per_second", speed.tokens_per_second},
                {"ms", speed.seconds * 1e3},
                {"share_of_bandwidth", speed.share},
                {"steps", speed.steps},
                {"weight_bytes", result.weight_bytes},
                {"bandwidth", result.bandwidth},
                {"held_bytes", result.held_bytes},
                {"peak_memory", result.peak_memory},
                {"numbers", numbers_json(*engine.backend)},
                {"parameters", model.config().parameters()},
                {"threads", threads},
                {"cpu", {{"model", processor.model}, {"features", processor.features}}}};
      if (options.profile) line.update({{"profile", profile_json(speed.profile, time)}, {"peaks", peaks_json(peaks)}});
      std::cout << dump_json(line) << "\n";
      continue;
    }
    std::cout << fmt::format(
        "decoding, batch {:>3}: {:>7.1f} tokens/s, {:>7.2f} ms a step, {:>5.1f} % of what memory "
        "allows ({} steps)\n",
        speed.batch, speed.tokens_per_second, speed.seconds * 1e3, speed.share * 100, speed.steps);
    if (options.profile) std::cout << profile_table(speed.profile, time, peaks, engine.backend->precision()) << "\n";
  }
  if (options.json) return;
  std::cout << fmt::format(
      "{} parameters, {:.1f} MB of weights a step, memory read at {:.1f} GB/s, {} threads of {} ({})\n{:.0f} MB peak, "
      "{:.0f} MB of weights; {}\n",
      model.config().parameters(), megabytes(result.weight_bytes), result.bandwidth / 1e9, threads, processor.model,
      fmt::join(processor.features, " "), megabytes(result.peak_memory), megabytes(result.held_bytes),
      numbers_line(*engine.backend));
}

void run(const BenchCommand& options) {
  if (options.mode == "training" && options.engine.dtype.starts_with("int")) {
    throw UsageError("{} is {}, expected float32 or bfloat16: {} is for inference, not for training",
                     FieldName("dtype"), options.engine.dtype, options.engine.dtype);
  }
  if (!options.model.empty() && !options.config.empty()) {
    throw UsageError("{} {}: the shape is that of {} {}", FieldName("config"), options.config, FieldName("model"),
                     options.model);
  }
  const bool passes = options.mode == "inference" || options.mode == "training";
  for (const auto& [given, field] : {std::pair(!options.trace.empty(), "trace"), {!options.cores.empty(), "cores"}}) {
    if (given && !passes)
      throw UsageError("{}: only of {} inference and training", FieldName(field), FieldName("mode"));
  }
  if (!options.cores.empty()) return run_on_paper(options);
  const Engine engine(options.engine);
  if (options.mode == "decoding") return run_decoding(options, engine);
  if (options.mode == "rotation") return run_rotation(options, engine);
  if (options.mode == "attention") return run_attention(options, engine);
  if (options.mode == "products") return run_products(options, engine);
  run_model(options, engine);
}

}  // namespace

Command bench_command() {
  return {.name = "bench",
          .summary = "Measure the speed of a model shape on this machine",
          .group = "This program",
          .example = "roformer bench --preset demo --mode training --lengths 128,128,128,128",
          .prepare = prepare_with<BenchCommand>(describe, run)};
}

}  // namespace roformer
