#include "nn/heads.h"

#include "base/error.h"

namespace roformer {

std::vector<int32_t> token_rows(const Batch& batch, TokenOfSequence which) {
  std::vector<int32_t> rows;
  for (size_t s = 0; s + 1 < batch.offsets.size(); ++s) {
    if (batch.offsets[s] == batch.offsets[s + 1]) throw DataError("sequence {} of the batch has no token", s);
    rows.push_back(which == TokenOfSequence::first ? batch.offsets[s] : batch.offsets[s + 1] - 1);
  }
  return rows;
}

Value Pooler::forward(const Context& context, const Value& hidden, const Batch& batch) const {
  return dense_.forward(context, gather_rows(context, hidden, token_rows(batch, TokenOfSequence::first)), activation_);
}

Classifier::Classifier(const Scope& scope, const ClassifierShape& shape)
    : shape_(shape),
      dense_(shape.dense ? std::optional<LinearLayer>(std::in_place, scope / "dense", shape.hidden, shape.hidden)
                         : std::nullopt),
      output_(scope / "output", shape.hidden, shape.labels) {}

Value Classifier::forward(const Context& context, const Value& x, uint64_t place) const {
  Value features = x;
  if (dense_) {
    features = dropout(context, features, context.dropout(shape_.dropout, place));
    features = dense_->forward(context, features, shape_.activation);
  }
  return output_.forward(context, dropout(context, features, context.dropout(shape_.dropout, place + 1)));
}

}  // namespace roformer
