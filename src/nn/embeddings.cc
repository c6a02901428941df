#include "nn/embeddings.h"

#include <algorithm>
#include <memory>

#include "base/error.h"
#include "position/hierarchical.h"

namespace roformer {

namespace {

void check_positions(std::span<const int32_t> positions, int64_t rows, bool hierarchical) {
  const int64_t most = hierarchical ? rows * rows : rows;
  for (const int32_t position : positions) {
    if (position < most) continue;
    throw DataError(
        "position {} is beyond the model's {} learned positions ({}): texts of at most "
        "{} tokens",
        position, rows, KeyName("max_position_embeddings"), most);
  }
}

// The rows of a hierarchical extension that are added up.
void add_hierarchical_rows(const Parameter& table, std::span<const int32_t> positions, int64_t count,
                           std::vector<Lookup>& lookups) {
  std::vector<int32_t> rows, blocks;
  for (const int32_t position : positions) {
    const HierarchicalRow row = hierarchical_row(position, count);
    rows.push_back(static_cast<int32_t>(row.row));
    blocks.push_back(static_cast<int32_t>(row.block));
  }
  const double factor = hierarchical_row(0, count).block_factor;
  lookups.push_back({table, std::move(rows), "position"});
  lookups.push_back({table, std::move(blocks), "block of positions", factor});
  lookups.push_back({table, std::vector<int32_t>(positions.size()), "position", -factor});
}

}  // namespace

Embeddings::Embeddings(const Scope& scope, const EmbeddingsShape& shape) : shape_(shape) {
  const auto table = [&](const char* name, int64_t rows, ParameterRole role) {
    return (scope / name).tensor({rows, shape.width}, role);
  };
  word_embeddings_ = table("words.weight", shape.vocabulary, ParameterRole::embedding);
  if (shape.segments > 0) segments_ = table("segments.weight", shape.segments, ParameterRole::embedding);
  if (shape.learned_positions > 0) {
    positions_ = table("positions.weight", shape.learned_positions, ParameterRole::position_weight);
  }
  if (shape.normed) norm_.emplace(scope / "norm", shape.width, shape.norm);
  if (shape.width != shape.hidden) project_.emplace(scope / "projection", shape.width, shape.hidden);
}

Value Embeddings::forward(const Context& context, const Batch& batch, const InputPositions* constant,
                          uint64_t place) const {
  if (positions_) check_positions(batch.positions, shape_.learned_positions, shape_.hierarchical);
  std::vector<Lookup> lookups{{word_embeddings_, batch.ids, "token id", shape_.word_scale}};
  if (segments_) lookups.push_back({*segments_, batch.segments, "segment id"});
  const bool longer = std::ranges::any_of(batch.positions, [&](int32_t p) { return p >= shape_.learned_positions; });
  if (positions_ && longer) {
    add_hierarchical_rows(*positions_, batch.positions, shape_.learned_positions, lookups);
  } else if (positions_) {
    lookups.push_back({*positions_, batch.positions, "position"});
  }
  if (constant != nullptr) lookups.push_back({constant->table, constant->rows, "position row"});
  const Value summed = embedding(context, lookups);
  const Value normal = norm_ ? norm_->forward(context, summed) : summed;
  const Value dropped = dropout(context, normal, context.dropout(shape_.dropout, place));
  return project_ ? project_->forward(context, dropped) : dropped;
}

}  // namespace roformer
