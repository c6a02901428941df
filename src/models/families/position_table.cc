#include "models/families/position_table.h"

#include "position/sinusoid.h"

namespace roformer {

void add_position_table(const ModelConfig& config, const char* name,
                        std::vector<std::pair<std::string, Tensor>>& tensors) {
  constexpr int64_t kMaxTableRows = 1 << 20;
  if (!std::holds_alternative<RotaryPosition>(config.position) || config.max_positions > kMaxTableRows) return;
  const Tensor table = Tensor::allocate({config.max_positions, config.head_dim()}, DType::float32);
  for (int64_t position = 0; position < config.max_positions; ++position) {
    for (int64_t column = 0; column < config.head_dim(); ++column) {
      table.row<float>(position)[column] = static_cast<float>(sinusoid(position, column, config.head_dim()));
    }
  }
  tensors.emplace_back(name, table);
}

}  // namespace roformer
