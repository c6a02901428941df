#include "inference/fill_mask.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "base/utf8.h"

namespace roformer {

namespace {

// The k largest logits of the tokens with their probabilities, ties by id. A model may have rows for more tokens than
// its tokenizer knows: they take part in the probabilities, as in transformers.
std::vector<Candidate> best_of(const float* logits, int64_t rows, int64_t tokens, int64_t k) {
  // NaN cannot be sorted.
  if (!std::all_of(logits, logits + rows, [](float logit) { return std::isfinite(logit); })) {
    throw DataError("the model's logits are not finite: a weight is not, or the computation overflows");
  }
  std::vector<int32_t> order(static_cast<size_t>(tokens));
  std::iota(order.begin(), order.end(), 0);
  k = std::min(k, tokens);
  std::partial_sort(order.begin(), order.begin() + k, order.end(),
                    [&](int32_t a, int32_t b) { return logits[a] != logits[b] ? logits[a] > logits[b] : a < b; });
  double sum = 0;
  const double largest = *std::max_element(logits, logits + rows);
  for (int64_t i = 0; i < rows; ++i) sum += std::exp(logits[i] - largest);
  std::vector<Candidate> best;
  for (int64_t i = 0; i < k; ++i) {
    const int32_t id = order[static_cast<size_t>(i)];
    best.push_back({id, std::exp(logits[id] - largest) / sum});
  }
  return best;
}

// Candidates for the tokens at `rows` of a batch, in chunks to bound the memory of logits.
MaskCandidates fill_rows(const Model& model, const Tokenizer& tokenizer, const Value& hidden,
                         std::span<const int32_t> rows, int64_t top_k) {
  constexpr size_t kChunk = 256;
  const Context context{model.backend(), nullptr, {}, false};
  MaskCandidates result;
  for (size_t begin = 0; begin < rows.size(); begin += kChunk) {
    const Value chosen = gather_rows(context, hidden, rows.subspan(begin, std::min(kChunk, rows.size() - begin)));
    const Tensor logits =
        context.backend.to_host(model.mlm_head().logits(context, chosen, model.trunk().word_embeddings()).data);
    // Ids beyond the tokenizer's (a padded vocabulary) are not tokens.
    const int64_t tokens = std::min<int64_t>(logits.columns(), tokenizer.vocabulary_size());
    for (int64_t i = 0; i < logits.rows(); ++i)
      result.push_back(best_of(logits.row<float>(i), logits.columns(), tokens, top_k));
  }
  return result;
}

// Appends what a token adds to `text`.
void append_token(const Tokenizer& tokenizer, int32_t id, std::string& text) {
  if (tokenizer.is_continuation(id)) text.erase(text.find_last_not_of(' ') + 1);
  DecodeState state{.at_start = text.empty() || text.back() == ' ' || text.back() == '\t'};
  if (!state.at_start) {
    size_t last = text.size() - 1;
    while (last > 0 && !begins_code_point(text[last])) --last;
    state.last = decode_utf8(&text[last]).value;
  }
  std::string added;
  tokenizer.append_text(id, state, added);
  text += replace_invalid_utf8(std::move(added));
}

}  // namespace

std::string filled_text(const Tokenizer& tokenizer, std::string_view text, const Encoding& encoding,
                        std::span<const int32_t> ids) {
  std::string result;
  size_t copied = 0;  // bytes of `text`
  for (size_t i = 0, mask = 0; i < encoding.ids.size(); ++i) {
    if (encoding.ids[i] != tokenizer.mask_id()) continue;
    const auto& [begin, end] = encoding.offsets[i];
    const size_t from = first_code_points(text, begin).size();
    result += text.substr(copied, from - copied);
    copied = first_code_points(text, end).size();
    append_token(tokenizer, ids[mask++], result);
  }
  return result.append(text.substr(copied));
}

ItemEncoder encode_masked_text(const Tokenizer& tokenizer) {
  return [&tokenizer](std::string_view item) {
    std::vector<Encoding> sequences = {tokenizer.encode(item)};
    const auto& ids = sequences[0].ids;
    if (std::find(ids.begin(), ids.end(), tokenizer.mask_id()) == ids.end()) {
      throw DataError("no {} in the text", tokenizer.token(tokenizer.mask_id()));
    }
    return sequences;
  };
}

std::vector<MaskCandidates> fill_masks(const Model& model, const Tokenizer& tokenizer, const Batch& batch,
                                       int64_t top_k, const std::stop_token& stop) {
  model.mlm_head();  // throws if there is none
  std::vector<int32_t> rows;
  std::vector<size_t> sequence_of_row;
  for (size_t s = 0; s + 1 < batch.offsets.size(); ++s) {
    for (int32_t t = batch.offsets[s]; t < batch.offsets[s + 1]; ++t) {
      if (batch.ids[static_cast<size_t>(t)] == tokenizer.mask_id()) rows.push_back(t);
    }
    sequence_of_row.resize(rows.size(), s);
  }
  const Context context{.backend = model.backend(), .stop = stop};
  auto candidates = fill_rows(model, tokenizer, model.trunk().forward(context, batch), rows, top_k);
  std::vector<MaskCandidates> result(static_cast<size_t>(batch.sequences()));
  for (size_t i = 0; i < rows.size(); ++i) result[sequence_of_row[i]].push_back(std::move(candidates[i]));
  return result;
}

std::vector<MaskCandidates> fill_masks(const Model& model, const Tokenizer& tokenizer, Texts texts, int64_t top_k,
                                       const TextBatching& batching) {
  model.mlm_head();
  TextList source(texts);
  TextStream stream(source, encode_masked_text(tokenizer), batching, model.backend().pool());
  std::vector<MaskCandidates> result;
  result.reserve(texts.size());
  for (TextBatch batch; stream.next(batch);) {
    for (MaskCandidates& masks : fill_masks(model, tokenizer, batch.batch, top_k, batching.stop_token))
      result.push_back(std::move(masks));
  }
  return result;
}

MaskCandidates fill_mask(const Model& model, const Tokenizer& tokenizer, const std::string& text, int64_t top_k) {
  return fill_masks(model, tokenizer, std::span(&text, 1), top_k, {}).front();
}

}  // namespace roformer
