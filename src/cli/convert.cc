// roformer convert: models in other formats to a model directory.
#include "interchange/convert.h"
#include "interchange/gguf.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <iostream>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/signal.h"
#include "cli/engine.h"
#include "cli/registry.h"

namespace roformer {
namespace {

struct ConvertCommand {
  ConvertOptions convert;
  std::string rotary_layout = "keep";
  int64_t threads = 0;
  bool json = false;
};

void describe(OptionSet& set, ConvertCommand& options) {
  set.add_choice("--from", options.convert.from, convert_sources(), "format of the input");
  set.add_choice("--to", options.convert.to, convert_targets(), "format of the output");
  set.add("--input", options.convert.input,
          "model directory, or a weights file in one; gguf: the .gguf file; llama2c: the .bin file", "PATH");
  set.add("--output", options.convert.output, "directory to create; gguf: file", "PATH");
  set.add_choice("--gguf-type", options.convert.gguf_type, gguf_types(), "to gguf: the number type of matrices");
  set.add("--tokenizer", options.convert.tokenizer, "llama2c: its tokenizer.bin", "FILE");
  set.add_choice("--rotary-layout", options.rotary_layout, {"keep", "adjacent", "half"},
                 "permute the weights for another layout of rotary pairs");
  for (const char* name : {"--input", "--output"}) set.require(name);
  add_json(set, options.json);
  add_threads(set, options.threads);
}

void print_json(const ConvertOptions& options, const ConvertReport& report) {
  Json layout = nullptr;
  if (report.old_layout) {
    layout = {{"from", rotary_layout_name(*report.old_layout)},
              {"to", rotary_layout_name(*options.rotary_layout)},
              {"permuted", report.permuted}};
  }
  Json left_out = Json::array();
  for (const auto& [name, reason] : report.left_out) left_out.push_back({{"name", name}, {"reason", reason}});
  std::cout << dump_json({{"output", options.output},
                          {"written", report.written},
                          {"tensors", report.tensors},
                          {"numbers", report.numbers},
                          {"source_xxh3", report.source_hash},
                          {"result_xxh3", report.result_hash},
                          {"left_out", left_out},
                          {"rotary_layout", layout},
                          {"files", report.files}})
            << "\n";
}

void print_layout(RotaryLayout asked, const ConvertReport& report) {
  if (report.old_layout == asked) {
    std::cout << fmt::format("rotary layout: {} already, the weights stay as they are\n", rotary_layout_name(asked));
  } else {
    std::cout << fmt::format("rotary layout: {} to {}, {} tensors permuted\n", rotary_layout_name(*report.old_layout),
                             rotary_layout_name(asked), report.permuted);
  }
}

void run(const ConvertCommand& command) {
  const StopOnSignal stop;
  const Engine engine({.threads = command.threads});
  ConvertOptions options = command.convert;
  options.stop_token = stop.token();
  if (command.rotary_layout != "keep") options.rotary_layout = parse_rotary_layout(command.rotary_layout);
  const ConvertReport report = convert(options, *engine.backend);
  print_warnings(report.notes);
  if (command.json) return print_json(options, report);
  if (options.rotary_layout) print_layout(*options.rotary_layout, report);
  for (const auto& [name, reason] : report.left_out) std::cout << fmt::format("left out: {} ({})\n", name, reason);
  const char* again = report.written ? "" : "; it held the same already";
  if (options.to == "gguf") {
    std::cout << fmt::format("{}: GGUF, matrices in {}{}\n", options.output, options.gguf_type, again);
  } else {
    std::cout << fmt::format("{}: config.json, model.safetensors{}{}{}\n", options.output,
                             report.files.empty() ? "" : ", ", fmt::join(report.files, ", "), again);
  }
  std::cout << fmt::format("self-check: {} tensors, {} numbers, shapes equal, values equal, xxh3 {} = {}\n",
                           report.tensors, report.numbers, report.source_hash, report.result_hash);
}

}  // namespace

Command convert_command() {
  return {.name = "convert",
          .summary = "Convert models from other formats to a model directory",
          .group = "Look inside",
          .example = "roformer convert --input downloaded --output model",
          .prepare = prepare_with<ConvertCommand>(describe, run)};
}

}  // namespace roformer
