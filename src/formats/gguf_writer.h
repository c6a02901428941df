// Writes GGUF files of version 3.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/file.h"
#include "formats/gguf_blocks.h"
#include "tensor/tensor.h"

namespace roformer {

using GgufItem = std::variant<uint32_t, float, bool, std::string, std::vector<std::string>, std::vector<int32_t>,
                              std::vector<float>>;
using GgufItems = std::vector<std::pair<std::string, GgufItem>>;

// A tensor to write: float32 on the host, of which row r of the file is row `rows[r]` (empty: r), plus `offset`.
struct GgufOutput {
  std::string name;
  const BlockType* type;
  Tensor tensor;
  std::vector<int64_t> rows = {};
  double offset = 0;
};

// DataError naming the tensor that has no whole blocks, or a number that its type cannot hold.
void write_gguf(FileWriter& file, const GgufItems& metadata, const std::vector<GgufOutput>& tensors);

}  // namespace roformer
