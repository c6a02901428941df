#include "tasks/fill_mask.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"

namespace roformer {

namespace {

// The k largest logits with their probabilities; equal ones by id.
std::vector<Candidate> best_of(const float* logits, int64_t count, int64_t k) {
  // NaN has no order.
  if (!std::all_of(logits, logits + count, [](float logit) { return std::isfinite(logit); })) {
    throw DataError("the model's scores are not finite numbers: its weights overflow, or are none themselves");
  }
  std::vector<int32_t> order(static_cast<size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  k = std::min(k, count);
  std::partial_sort(order.begin(), order.begin() + k, order.end(),
                    [&](int32_t a, int32_t b) { return logits[a] != logits[b] ? logits[a] > logits[b] : a < b; });
  double sum = 0;
  const double largest = k > 0 ? logits[order[0]] : 0;
  for (int64_t i = 0; i < count; ++i) sum += std::exp(logits[i] - largest);
  std::vector<Candidate> best;
  for (int64_t i = 0; i < k; ++i) {
    const int32_t id = order[static_cast<size_t>(i)];
    best.push_back({id, std::exp(logits[id] - largest) / sum});
  }
  return best;
}

}  // namespace

std::vector<std::vector<Candidate>> fill_mask(const Model& model, const Tokenizer& tokenizer, const std::string& text,
                                              int64_t top_k) {
  const Encoding encoding = tokenizer.encode(text);
  Batch batch;
  batch.append(encoding.ids, encoding.segment_ids);
  std::vector<int32_t> rows;
  for (size_t i = 0; i < encoding.ids.size(); ++i) {
    if (encoding.ids[i] == tokenizer.mask_id()) rows.push_back(static_cast<int32_t>(i));
  }
  if (rows.empty()) throw DataError("no {} in the text", tokenizer.token(tokenizer.mask_id()));
  const Context context{model.backend(), nullptr, {}, false};
  const Value hidden = gather_rows(context, model.encoder().forward(context, batch), rows);
  const Value logits = model.mlm_head().logits(context, hidden, model.encoder().words());
  std::vector<std::vector<Candidate>> result;
  // Ids beyond the tokenizer's (a padded vocabulary) are no tokens.
  const int64_t tokens = std::min<int64_t>(logits.data.columns(), tokenizer.vocabulary_size());
  for (int64_t i = 0; i < logits.data.rows(); ++i) result.push_back(best_of(logits.data.row<float>(i), tokens, top_k));
  return result;
}

}  // namespace roformer
