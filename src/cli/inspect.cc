// roformer inspect: what a model directory holds.
#include <fmt/ranges.h>

#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"
#include "cli/engine.h"
#include "cli/registry.h"
#include "formats/directory_weights.h"
#include "models/config.h"

namespace roformer {
namespace {

struct InspectOptions {
  std::string model;
  bool json = false;
};

void describe(OptionSet& set, InspectOptions& options) {
  set.add("--model", options.model, "model directory, or a weights file in one", "DIR");
  set.require("--model");
  add_json(set, options.json);
}

std::string file_name(const std::string& path) { return std::filesystem::path(path).filename().string(); }

// Lists the files as they are: also of models this program cannot run. No number is read.
void run(const InspectOptions& options) {
  const JsonObject config = JsonObject::read(join_path(model_directory(options.model), "config.json"));
  const WeightFiles weights(options.model);
  const std::string type = config.get_string("model_type", "");
  int64_t parameters = 0;
  Json tensors = Json::array();
  std::string lines;
  for (const auto& [info, file] : weights.tensors()) {
    int64_t count = 1;
    for (const int64_t dim : info.shape) count *= dim;
    parameters += count;
    Json tensor = {{"name", info.name}, {"shape", info.shape}, {"dtype", info.dtype}};
    if (weights.sharded()) tensor["file"] = file_name(file->path());
    tensors.push_back(std::move(tensor));
    lines += fmt::format("  {:<6}{:<20}{}{}\n", info.dtype, fmt::format("[{}]", fmt::join(info.shape, ", ")), info.name,
                         weights.sharded() ? "  in " + file_name(file->path()) : "");
  }
  if (options.json) {
    std::cout << dump_json({{"model_type", type},
                            {"parameters", parameters},
                            {"tensors", tensors},
                            {"config", config.value()}})
              << "\n";
    return;
  }
  std::cout << fmt::format("{} model, {} parameters in {} tensors of {}\n", type.empty() ? "unknown" : type, parameters,
                           tensors.size(), file_name(weights.source()))
            << lines << config.value().dump(2) << "\n";
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
