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
        "position {} is beyond the model's {} learned positions (max_position_embeddings): texts of at most "
        "{} tokens",
        position, rows, most);
  }
}

// The rows of a hierarchical extension that are added up.
struct HierarchicalRows {
  std::vector<int32_t> rows, blocks, zeros;
};

std::shared_ptr<const HierarchicalRows> hierarchical_rows(std::span<const int32_t> positions, int64_t count) {
  auto result = std::make_shared<HierarchicalRows>();
  for (const int32_t position : positions) {
    const HierarchicalRow row = hierarchical_row(position, count);
    result->rows.push_back(static_cast<int32_t>(row.row));
    result->blocks.push_back(static_cast<int32_t>(row.block));
  }
  result->zeros.resize(positions.size());
  return result;
}

}  // namespace

Embeddings::Embeddings(Backend& backend, const EmbeddingsShape& shape, bool trainable)
    : shape_(shape), words_(make_parameter(backend, {shape.vocabulary, shape.width}, trainable)) {
  if (shape.segments > 0) segments_ = make_parameter(backend, {shape.segments, shape.width}, trainable);
  if (shape.normed) norm_.emplace(backend, shape.width, shape.norm, trainable);
  if (shape.learned_positions > 0) {
    positions_ = make_parameter(backend, {shape.learned_positions, shape.width}, trainable);
  }
  if (shape.width != shape.hidden) project_.emplace(backend, shape.width, shape.hidden, trainable);
}

Value Embeddings::forward(const Context& context, const Batch& batch, const InputPositions* constant,
                          uint64_t place) const {
  if (positions_) check_positions(batch.positions, shape_.learned_positions, shape_.hierarchical);
  std::vector<Lookup> lookups{{words_, batch.ids, "token id"}};
  if (segments_) lookups.push_back({*segments_, batch.segments, "segment id"});
  const bool longer = std::ranges::any_of(batch.positions, [&](int32_t p) { return p >= shape_.learned_positions; });
  if (positions_ && longer) {
    const auto rows = hierarchical_rows(batch.positions, shape_.learned_positions);
    if (context.tape != nullptr) context.tape->keep(rows);
    const double factor = hierarchical_row(0, shape_.learned_positions).block_factor;
    lookups.push_back({*positions_, rows->rows, "position"});
    lookups.push_back({*positions_, rows->blocks, "block of positions", factor});
    lookups.push_back({*positions_, rows->zeros, "position", -factor});
    return finish(context, lookups, constant, place);
  }
  if (positions_) lookups.push_back({*positions_, batch.positions, "position"});
  return finish(context, lookups, constant, place);
}

Value Embeddings::finish(const Context& context, std::vector<Lookup>& lookups, const InputPositions* constant,
                         uint64_t place) const {
  if (constant != nullptr) lookups.push_back({constant->table, constant->rows, "position row"});
  const Value summed = embedding(context, lookups);
  const Value normal = norm_ ? norm_->forward(context, summed) : summed;
  const Value dropped = dropout(context, normal, context.dropout(shape_.dropout, place));
  return project_ ? project_->forward(context, dropped) : dropped;
}

void Embeddings::visit(const std::string& name, const ParameterVisitor& visitor) {
  visitor(name + ".embeddings.word_embeddings.weight", words_, ParameterRole::embedding);
  if (segments_) visitor(name + ".embeddings.token_type_embeddings.weight", *segments_, ParameterRole::embedding);
  if (positions_) visitor(name + ".embeddings.position_embeddings.weight", *positions_, ParameterRole::position_weight);
  if (norm_) norm_->visit(name + ".embeddings.LayerNorm", visitor);
  if (project_) project_->visit(name + ".embeddings_project", visitor);
}

}  // namespace roformer
