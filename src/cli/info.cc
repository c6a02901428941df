// roformer info: what this program is and what it runs on.
#include <fmt/ranges.h>

#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "backend/registry.h"
#include "base/json.h"
#include "cli/engine.h"
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

constexpr Precision kPrecisions[] = {Precision::float32, Precision::bfloat16, Precision::int8, Precision::int4};

void run(const InfoOptions& options) {
  ThreadPool pool(1);
  const Processor processor = read_processor();
  const unsigned cores = std::max(1u, std::thread::hardware_concurrency());
  const std::vector<std::string> backends = backend_names();
  if (options.json) {
    Json numbers = Json::object();
    for (const Precision precision : kPrecisions) {
      for (const NumberTypeUse& use : make_cpu_backend(pool, precision)->number_types()) {
        numbers[precision_name(precision)][use.what] = use.with;
      }
    }
    const Json object = {{"version", ROFORMER_VERSION},
                         {"cpu", {{"model", processor.model}, {"features", processor.features}, {"cores", cores}}},
                         {"backends", backends},
                         {"numbers", numbers},
                         {"positions", position_names()},
                         {"attention", attention_names()}};
    std::cout << dump_json(object) << "\n";
    return;
  }
  std::cout << fmt::format(
      "roformer {}\nCPU       {}\nfeatures  {}\ncores     {}\nbackends  {}\npositions {}\nattention {}\n",
      ROFORMER_VERSION, processor.model, fmt::join(processor.features, " "), cores, fmt::join(backends, " "),
      fmt::join(position_names(), " "), fmt::join(attention_names(), " "));
  for (const Precision precision : kPrecisions) {
    std::cout << fmt::format("{:<9} {}\n", precision_name(precision), numbers_line(*make_cpu_backend(pool, precision)));
  }
}

}  // namespace

Command info_command() {
  return {.name = "info",
          .summary = "Show the version, the CPU's features, the backends and the number formats of each --dtype here",
          .group = "This program",
          .example = "roformer info",
          .prepare = prepare_with<InfoOptions>(describe, run)};
}

}  // namespace roformer
