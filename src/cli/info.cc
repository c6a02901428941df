// roformer info: what this program is and what it runs on.
#include <fmt/ranges.h>

#include <algorithm>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include "base/json.h"
#include "cli/processor.h"
#include "cli/registry.h"
#include "nn/linear_attention.h"
#include "position/encoding.h"

namespace roformer {
namespace {

struct InfoOptions {
  bool json = false;
};

void describe(OptionSet& set, InfoOptions& options) { add_json(set, options.json); }

void run(const InfoOptions& options) {
  const Processor processor = read_processor();
  const unsigned cores = std::max(1u, std::thread::hardware_concurrency());
  const std::vector<std::string> backends = {"cpu", "reference"};
  if (options.json) {
    const Json object = {{"version", ROFORMER_VERSION},
                         {"cpu", {{"model", processor.model}, {"features", processor.features}, {"cores", cores}}},
                         {"backends", backends},
                         {"positions", position_names()},
                         {"attention", attention_names()}};
    std::cout << dump_json(object) << "\n";
    return;
  }
  std::cout << fmt::format(
      "roformer {}\nCPU       {}\nfeatures  {}\ncores     {}\nbackends  {}\npositions {}\nattention {}\n",
      ROFORMER_VERSION, processor.model, fmt::join(processor.features, " "), cores, fmt::join(backends, " "),
      fmt::join(position_names(), " "), fmt::join(attention_names(), " "));
}

}  // namespace

Command info_command() {
  return {.name = "info",
          .summary = "Show the version, the CPU's features and the backends",
          .group = "This program",
          .example = "roformer info",
          .prepare = prepare_with(describe, run)};
}

}  // namespace roformer
