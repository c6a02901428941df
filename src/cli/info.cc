// roformer info: what this program is and what it runs on.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <iostream>
#include <iterator>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "base/json.h"
#include "cli/registry.h"
#include "nn/linear_attention.h"
#include "position/encoding.h"

namespace roformer {
namespace {

struct InfoOptions {
  bool json = false;
};

struct Processor {
  std::string model = "unknown";
  std::vector<std::string> features;
};

// Linux lists a feature only if the kernel lets programs use it, which is what matters here.
Processor read_processor() {
  constexpr std::array<const char*, 11> kFeatures = {"sse4_2",   "avx",      "avx2",        "fma",
                                                     "avx_vnni", "avx512f",  "avx512_vnni", "avx512_bf16",
                                                     "amx_tile", "amx_int8", "amx_bf16"};
  Processor processor;
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line) && !line.empty();) {
    const size_t colon = line.find(": ");
    if (colon == std::string::npos) continue;
    if (line.starts_with("model name")) processor.model = line.substr(colon + 2);
    if (!line.starts_with("flags")) continue;
    std::istringstream words(line.substr(colon + 2));
    const std::vector<std::string> flags{std::istream_iterator<std::string>(words), {}};
    for (const char* feature : kFeatures) {
      if (std::find(flags.begin(), flags.end(), feature) != flags.end()) processor.features.emplace_back(feature);
    }
  }
  return processor;
}

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
