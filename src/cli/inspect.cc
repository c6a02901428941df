// roformer inspect: what a model directory holds.
#include <fmt/ranges.h>

#include <iostream>

#include "base/file.h"
#include "base/json.h"
#include "checkpoint/safetensors.h"
#include "cli/engine.h"
#include "cli/registry.h"
#include "models/config.h"

namespace roformer {
namespace {

struct InspectOptions {
  std::string model;
  bool json = false;
};

void describe(OptionSet& set, InspectOptions& options) {
  set.add("--model", options.model, "model directory", "DIR");
  set.require("--model");
  add_json(set, options.json);
}

// Lists the files as they are: also of models this program cannot run.
void run(const InspectOptions& options) {
  const JsonObject config = JsonObject::read(join_path(options.model, "config.json"));
  const SafetensorsFile weights(join_path(options.model, "model.safetensors"));
  const std::string type = config.get_string("model_type", "");
  int64_t parameters = 0;
  Json tensors = Json::array();
  for (const TensorInfo& info : weights.tensors()) {
    int64_t count = 1;
    for (const int64_t dim : info.shape) count *= dim;
    parameters += count;
    tensors.push_back({{"name", info.name}, {"shape", info.shape}, {"dtype", info.dtype}});
  }
  if (options.json) {
    std::cout << dump_json({{"model_type", type},
                            {"parameters", parameters},
                            {"tensors", tensors},
                            {"config", config.value()}})
              << "\n";
    return;
  }
  std::cout << fmt::format("{} model, {} parameters in {} tensors\n", type.empty() ? "unknown" : type, parameters,
                           tensors.size());
  for (const TensorInfo& info : weights.tensors()) {
    std::cout << fmt::format("  {:<6}{:<20}{}\n", info.dtype, fmt::format("[{}]", fmt::join(info.shape, ", ")),
                             info.name);
  }
  std::cout << config.value().dump(2) << "\n";
}

}  // namespace

Command inspect_command() {
  return {.name = "inspect",
          .summary = "Show what a model directory holds",
          .group = "Look inside",
          .example = "roformer inspect --model model",
          .prepare = prepare_with(describe, run)};
}

}  // namespace roformer
