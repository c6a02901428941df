#include "tasks/task_batch.h"

#include <algorithm>

namespace roformer {

namespace {

std::vector<double> doubles_of(const Tensor& x) {
  std::vector<double> values;
  values.reserve(static_cast<size_t>(x.elements()));
  for (int64_t i = 0; i < x.rows(); ++i) {
    if (x.dtype() == DType::float64) {
      values.insert(values.end(), x.row<double>(i), x.row<double>(i) + x.columns());
    } else {
      values.insert(values.end(), x.row<float>(i), x.row<float>(i) + x.columns());
    }
  }
  return values;
}

template <class Real>
void write_values(const std::vector<double>& values, const Tensor& x) {
  for (int64_t i = 0; i < x.rows(); ++i) {
    const auto first = values.begin() + static_cast<std::ptrdiff_t>(i * x.columns());
    std::transform(first, first + static_cast<std::ptrdiff_t>(x.columns()), x.row<Real>(i),
                   [](double value) { return static_cast<Real>(value); });
  }
}

// The rows of each part in a matrix of all.
class PartRows {
 public:
  PartRows(const TaskBatch& batch, int64_t columns) : batch_(batch), columns_(columns) {}
  template <class Real>
  std::span<Real> of(size_t part, std::span<Real> all) const {
    if (all.empty()) return {};
    const auto first = static_cast<size_t>(batch_.rows[part] * columns_);
    return all.subspan(first, static_cast<size_t>(batch_.rows[part + 1] * columns_) - first);
  }

 private:
  const TaskBatch& batch_;
  int64_t columns_;
};

// The loss of logits in doubles; adds their gradients unless `gradient` is empty.
LossSum loss_of(const TaskBatch& batch, const TaskLossOptions& options, int64_t columns, double gradient_scale,
                std::span<const double> logits, std::span<double> gradient) {
  const PartRows rows(batch, columns);
  const bool twice = options.r_drop > 0;
  const size_t half = batch.parts.size() / 2;
  const double share = twice ? 0.5 : 1;
  LossSum sum;
  for (size_t i = 0; i < batch.parts.size(); ++i) {
    const bool first = !twice || i < half;
    for (const LossTerm& term : batch.parts[i]->terms) {
      const TermLoss loss =
          term_loss(term, rows.of(i, logits), options.terms, share * gradient_scale, rows.of(i, gradient));
      sum.sum += share * loss.loss;
      if (first) sum.correct += loss.correct ? 1 : 0;
      if (!twice || !first || !term.has_target()) continue;
      sum.sum += options.r_drop * term_divergence(term, rows.of(i, logits), rows.of(i + half, logits),
                                                  options.r_drop * gradient_scale, rows.of(i, gradient),
                                                  rows.of(i + half, gradient));
    }
  }
  return sum;
}

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
  const Value logits = model.logits(context, model.trunk().forward(context, batch.batch), batch.batch);
  return host_loss(context, logits, [&](const Tensor& x, Tensor* gradient) {
    const std::vector<double> values = doubles_of(x);
    std::vector<double> gradients(gradient == nullptr ? 0 : values.size(), 0.0);
    const LossSum sum = loss_of(batch, options, x.columns(), gradient_scale, values, gradients);
    if (gradient != nullptr && x.dtype() == DType::float64) write_values<double>(gradients, *gradient);
    if (gradient != nullptr && x.dtype() == DType::float32) write_values<float>(gradients, *gradient);
    return sum;
  });
}

}  // namespace roformer
