// What is known of this machine's CPU: figures of speed say nothing without it.
#pragma once

#include <string>
#include <vector>

namespace roformer {

struct Processor {
  std::string model = "unknown";
  std::vector<std::string> features;  // those of SIMD that kernels may use: "avx2", "avx512f"
};

Processor read_processor();

}  // namespace roformer
