#include "generation/pass.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "models/finite.h"

namespace roformer {

namespace {

void copy_logits(const Tensor& from, int64_t row, int64_t tokens, std::vector<double>& logits) {
  if (from.dtype() == DType::float64) {
    logits.assign(from.row<double>(row), from.row<double>(row) + tokens);
  } else {
    logits.assign(from.row<float>(row), from.row<float>(row) + tokens);
  }
}

}  // namespace

// Weights are scanned only after a failure.
void report_not_finite(const Model& model) {
  check_finite_weights(model, "the model's logits are not finite");
  throw DataError("the model's logits are not finite: its weights are finite, but the computation overflows");
}

GenerationPass::GenerationPass(const Model& model, AttentionMask attention_mask, int64_t sequences, int64_t window,
                               int64_t tokens, std::stop_token stop)
    : model_(model),
      attention_mask_(attention_mask),
      state_(sequences, window),
      tokens_(std::min(tokens, model.config().vocabulary)),
      stop_(std::move(stop)) {}

void GenerationPass::prompts(std::span<const std::vector<int32_t>> prompts, Logits& logits) {
  Batch batch;
  for (const std::vector<int32_t>& ids : prompts) batch.append(ids);
  run(batch, logits);
}

void GenerationPass::step(std::span<const int32_t> ids, Logits& logits) {
  const int32_t segment = attention_mask_ == AttentionMask::prefix ? 1 : 0;
  Batch batch;
  for (size_t s = 0; s < ids.size(); ++s) {
    batch.append({&ids[s], 1}, {&segment, 1}, state_.next_position(static_cast<int64_t>(s)));
  }
  run(batch, logits);
}

void GenerationPass::run(const Batch& batch, Logits& logits) {
  // Small enough that each row's bits do not depend on the others (Backend::linear).
  constexpr size_t kRows = 8;
  const Context context{.backend = model_.backend(), .stop = stop_};
  const Value hidden = model_.trunk().forward(context, batch, {.attention_mask = attention_mask_, .state = &state_});
  const std::vector<int32_t> last = token_rows(batch, TokenOfSequence::last);
  logits.resize(last.size());
  for (size_t begin = 0; begin < last.size(); begin += kRows) {
    const auto rows = std::span(last).subspan(begin, std::min(kRows, last.size() - begin));
    const Value chosen = gather_rows(context, hidden, rows);
    const Tensor computed =
        context.backend.to_host(model_.mlm_head().logits(context, chosen, model_.trunk().word_embeddings()).data);
    std::vector<uint8_t> finite(rows.size());
    model_.backend().pool().run(computed.rows(), [&](int64_t i) {
      finite[static_cast<size_t>(i)] = is_finite(computed.row_range(i, 1)) ? 1 : 0;
      copy_logits(computed, i, tokens_, logits[begin + static_cast<size_t>(i)]);
    });
    if (std::find(finite.begin(), finite.end(), 0) != finite.end()) report_not_finite(model_);
  }
}

void GenerationPass::shift(int64_t sequence) {
  const int64_t tokens = state_.tokens(sequence);
  const int64_t first = std::min<int64_t>(1, tokens - 1);
  model_.trunk().forget(model_.backend(), state_, sequence, first, std::max<int64_t>(1, (tokens - first) / 2));
}

}  // namespace roformer
