#include "cli/processor.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <sstream>

namespace roformer {

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

}  // namespace roformer
