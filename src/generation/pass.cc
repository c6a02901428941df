#include "generation/pass.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "models/finite.h"

namespace roformer {

namespace {

// Looked for only when something is wrong.
[[noreturn]] void report_not_finite(const Model& model) {
  check_finite_weights(model, "the model's scores are not finite numbers");
  throw DataError("the model's scores are not finite numbers: its weights are, but what they compute overflows");
}

void take_scores(const Tensor& logits, int64_t row, int64_t tokens, std::vector<double>& scores) {
  if (logits.dtype() == DType::float64) {
    scores.assign(logits.row<double>(row), logits.row<double>(row) + tokens);
  } else {
    scores.assign(logits.row<float>(row), logits.row<float>(row) + tokens);
  }
}

}  // namespace

GenerationPass::GenerationPass(const Model& model, AttentionMask attention_mask, int64_t sequences, int64_t window,
                               int64_t tokens, std::stop_token stop)
    : model_(model),
      attention_mask_(attention_mask),
      state_(sequences, window),
      tokens_(tokens),
      stop_(std::move(stop)) {}

void GenerationPass::prompts(std::span<const std::vector<int32_t>> prompts, Scores& scores) {
  Batch batch;
  for (const std::vector<int32_t>& ids : prompts) batch.append(ids);
  run(batch, scores);
}

void GenerationPass::step(std::span<const int32_t> ids, Scores& scores) {
  const int32_t segment = attention_mask_ == AttentionMask::prefix ? 1 : 0;
  Batch batch;
  for (size_t s = 0; s < ids.size(); ++s) {
    batch.append({&ids[s], 1}, {&segment, 1}, state_.next_position(static_cast<int64_t>(s)));
  }
  run(batch, scores);
}

void GenerationPass::run(const Batch& batch, Scores& scores) {
  // So few rows at a time that each one's bits do not depend on the others (Backend::linear).
  constexpr size_t kRows = 8;
  const Context context{.backend = model_.backend(), .stop = stop_};
  const Value hidden = model_.encoder().forward(context, batch, {.attention_mask = attention_mask_, .state = &state_});
  const std::vector<int32_t> last = token_rows(batch, TokenOfSequence::last);
  scores.resize(last.size());
  for (size_t begin = 0; begin < last.size(); begin += kRows) {
    const auto rows = std::span(last).subspan(begin, std::min(kRows, last.size() - begin));
    const Value chosen = gather_rows(context, hidden, rows);
    const Tensor logits =
        context.backend.to_host(model_.mlm_head().logits(context, chosen, model_.encoder().word_embeddings()).data);
    std::vector<uint8_t> finite(rows.size());
    model_.backend().pool().run(logits.rows(), [&](int64_t i) {
      finite[static_cast<size_t>(i)] = is_finite(logits.row_range(i, 1)) ? 1 : 0;
      take_scores(logits, i, tokens_, scores[begin + static_cast<size_t>(i)]);
    });
    if (std::find(finite.begin(), finite.end(), 0) != finite.end()) report_not_finite(model_);
  }
}

void GenerationPass::shift(int64_t sequence) {
  const int64_t tokens = state_.tokens(sequence);
  const int64_t first = std::min<int64_t>(1, tokens - 1);
  model_.encoder().forget(model_.backend(), state_, sequence, first, std::max<int64_t>(1, (tokens - first) / 2));
}

}  // namespace roformer
