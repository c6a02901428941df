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

// Candidates for the tokens at `rows` of a batch, a chunk at a time: the logits of all could fill the memory.
std::vector<std::vector<Candidate>> fill_rows(const Model& model, const Tokenizer& tokenizer, const Value& hidden,
                                              std::span<const int32_t> rows, int64_t top_k) {
  constexpr size_t kChunk = 256;
  const Context context{model.backend(), nullptr, {}, false};
  std::vector<std::vector<Candidate>> result;
  for (size_t begin = 0; begin < rows.size(); begin += kChunk) {
    const Value chosen = gather_rows(context, hidden, rows.subspan(begin, std::min(kChunk, rows.size() - begin)));
    const Tensor logits = model.mlm_head().logits(context, chosen, model.encoder().words()).data;
    // Ids beyond the tokenizer's (a padded vocabulary) are no tokens.
    const int64_t tokens = std::min<int64_t>(logits.columns(), tokenizer.vocabulary_size());
    for (int64_t i = 0; i < logits.rows(); ++i) result.push_back(best_of(logits.row<float>(i), tokens, top_k));
  }
  return result;
}

}  // namespace

std::vector<std::vector<std::vector<Candidate>>> fill_masks(const Model& model, const Tokenizer& tokenizer,
                                                            std::span<const std::string> texts, int64_t top_k,
                                                            const TextBatching& batching) {
  model.mlm_head();  // or there is nothing to compute
  std::vector<std::vector<std::vector<Candidate>>> result(texts.size());
  for_text_batches(tokenizer, texts, batching, [&](size_t first, const Batch& batch) {
    std::vector<int32_t> rows;
    std::vector<size_t> text_of_row;
    for (int64_t s = 0; s < batch.sequences(); ++s) {
      const size_t before = rows.size(), text = first + static_cast<size_t>(s);
      for (int32_t t = batch.offsets[static_cast<size_t>(s)]; t < batch.offsets[static_cast<size_t>(s) + 1]; ++t) {
        if (batch.ids[static_cast<size_t>(t)] == tokenizer.mask_id()) rows.push_back(t);
      }
      if (rows.size() == before) {
        throw DataError("{}no {} in the text", texts.size() > 1 ? fmt::format("text {}: ", text + 1) : "",
                        tokenizer.token(tokenizer.mask_id()));
      }
      text_of_row.resize(rows.size(), text);
    }
    const Context context{model.backend(), nullptr, {}, false};
    auto candidates = fill_rows(model, tokenizer, model.encoder().forward(context, batch), rows, top_k);
    for (size_t i = 0; i < rows.size(); ++i) result[text_of_row[i]].push_back(std::move(candidates[i]));
  });
  return result;
}

std::vector<std::vector<Candidate>> fill_mask(const Model& model, const Tokenizer& tokenizer, const std::string& text,
                                              int64_t top_k) {
  return fill_masks(model, tokenizer, std::span(&text, 1), top_k, {}).front();
}

}  // namespace roformer
