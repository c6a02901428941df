// This machine's CPU: measured speeds mean nothing without it.
#pragma once

#include <string>
#include <vector>

namespace roformer {

struct Processor {
  std::string model = "unknown";
  std::vector<std::string> features;  // SIMD features that kernels may use: "avx2", "avx512f"
};

Processor read_processor();

}  // namespace roformer
