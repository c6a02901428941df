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

Classifier::Classifier(const Scope& scope, const ClassifierConfig& config)
    : config_(config),
      dense_(config.dense ? std::optional<LinearLayer>(std::in_place, scope / "dense", config.hidden, config.hidden)
                          : std::nullopt),
      output_(scope / "output", config.hidden, config.labels) {}

Value Classifier::forward(const Context& context, const Value& x, uint64_t site) const {
  Value features = x;
  if (dense_) {
    features = dropout(context, features, context.dropout(config_.dropout, site));
    features = dense_->forward(context, features, config_.activation);
  }
  return output_.forward(context, dropout(context, features, context.dropout(config_.dropout, site + 1)));
}

}  // namespace roformer
