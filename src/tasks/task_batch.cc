#include "tasks/task_batch.h"

#include <algorithm>

namespace roformer {

namespace {

// The logits of all parts in doubles, or the gradients of these.
class PartRows {
 public:
  PartRows(std::span<const double> all, const TaskBatch& batch, int64_t columns)
      : all_(all), batch_(batch), columns_(columns) {}
  std::span<const double> of(size_t part) const {
    const auto first = static_cast<size_t>(batch_.rows[part] * columns_);
    return all_.subspan(first, static_cast<size_t>(batch_.rows[part + 1] * columns_) - first);
  }
  std::span<double> of(size_t part, std::span<double> gradient) const {
    if (gradient.empty()) return {};
    const auto first = static_cast<size_t>(batch_.rows[part] * columns_);
    return gradient.subspan(first, static_cast<size_t>(batch_.rows[part + 1] * columns_) - first);
  }

 private:
  std::span<const double> all_;
  const TaskBatch& batch_;
  int64_t columns_;
};

}  // namespace

void TaskBatch::append(const EncodedPart& part, bool per_token) {
  parts.push_back(&part);
  for (const Encoding& sequence : part.sequences) batch.append(sequence.ids, sequence.segment_ids);
  rows.push_back(per_token ? batch.tokens() : batch.sequences());
}

int64_t TaskBatch::terms() const {
  int64_t count = 0;
  for (const EncodedPart* part : parts) count += std::ranges::count_if(part->terms, &LossTerm::has_target);
  return count;
}

Loss task_loss(const Context& context, const Model& model, const TaskBatch& batch, const TaskLossOptions& options,
               double gradient_scale) {
  const Value logits = model.logits(context, model.encoder().forward(context, batch.batch), batch.batch);
  const int64_t columns = logits.data.columns();
  const bool twice = options.r_drop > 0;
  const size_t half = batch.parts.size() / 2;
  return host_loss(context, logits, [&](std::span<const double> values, std::span<double> gradient) {
    const PartRows rows(values, batch, columns);
    LossSum sum;
    const double share = twice ? 0.5 : 1;
    for (size_t i = 0; i < batch.parts.size(); ++i) {
      for (const LossTerm& term : batch.parts[i]->terms) {
        const TermLoss loss = term_loss(term, rows.of(i), options.terms, share * gradient_scale, rows.of(i, gradient));
        sum.sum += share * loss.loss;
        if (!twice || i < half) sum.correct += loss.correct ? 1 : 0;
        if (!twice || i >= half || !term.has_target()) continue;
        sum.sum +=
            options.r_drop * term_divergence(term, rows.of(i), rows.of(i + half), options.r_drop * gradient_scale,
                                             rows.of(i, gradient), rows.of(i + half, gradient));
      }
    }
    return sum;
  });
}

}  // namespace roformer
