#include "nn/embeddings.h"

#include <algorithm>
#include <memory>

#include "base/error.h"
#include "position/hierarchical.h"

namespace roformer {

namespace {

void check_positions(std::span<const int32_t> positions, int64_t rows, bool hierarchical) {
  const int64_t limit = hierarchical ? rows * rows : rows;
  for (const int32_t position : positions) {
    if (position < limit) continue;
    throw DataError(
        "position {} is beyond the model's {} learned positions ({}): texts of at most "
        "{} tokens",
        position, rows, KeyName("max_position_embeddings"), limit);
  }
}

// Adds the lookups of the hierarchical extension.
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

Embeddings::Embeddings(const Scope& scope, const EmbeddingsConfig& config, const Parameter* words) : config_(config) {
  const auto table = [&](const char* name, int64_t rows, ParameterRole role) {
    return (scope / name).tensor({rows, config.width}, role);
  };
  word_embeddings_ = words != nullptr ? *words : table("words.weight", config.vocabulary, ParameterRole::embedding);
  if (config.segments > 0) segments_ = table("segments.weight", config.segments, ParameterRole::embedding);
  if (config.learned_positions > 0) {
    positions_ = table("positions.weight", config.learned_positions, ParameterRole::position_weight);
  }
  if (config.normed) norm_.emplace(scope / "norm", config.width, config.norm);
  if (config.width != config.hidden) project_.emplace(scope / "projection", config.width, config.hidden);
}

Value Embeddings::forward(const Context& context, const Batch& batch, const InputPositions* constant,
                          uint64_t site) const {
  if (positions_) check_positions(batch.positions, config_.learned_positions, config_.hierarchical);
  std::vector<Lookup> lookups{{word_embeddings_, batch.ids, "token id", config_.word_scale}};
  if (segments_) lookups.push_back({*segments_, batch.segments, "segment id"});
  const bool longer = std::ranges::any_of(batch.positions, [&](int32_t p) { return p >= config_.learned_positions; });
  if (positions_ && longer) {
    add_hierarchical_rows(*positions_, batch.positions, config_.learned_positions, lookups);
  } else if (positions_) {
    lookups.push_back({*positions_, batch.positions, "position"});
  }
  if (constant != nullptr) lookups.push_back({constant->table, constant->rows, "position row"});
  const Value summed = embedding(context, lookups);
  const Value normal = norm_ ? norm_->forward(context, summed) : summed;
  const Value dropped = dropout(context, normal, context.dropout(config_.dropout, site));
  return project_ ? project_->forward(context, dropped) : dropped;
}

}  // namespace roformer
