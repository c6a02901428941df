#include "tasks/vectors/vector_objective.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "tasks/task_objective.h"
#include "tasks/vectors/vector_recipe.h"

namespace roformer {

namespace {

template <class Real>
void read_rows(const Tensor& x, int64_t first, VectorMatrix& vectors) {
  for (int64_t i = 0; i < x.rows(); ++i) std::copy_n(x.row<Real>(i), x.columns(), vectors.row(first + i));
}

// x on the host, into the rows from `first` on.
void take_rows(const Tensor& x, int64_t first, VectorMatrix& vectors) {
  if (x.dtype() == DType::float64) {
    read_rows<double>(x, first, vectors);
  } else {
    read_rows<float>(x, first, vectors);
  }
}

template <class Real>
void write_rows(const VectorMatrix& rows, int64_t first, double factor, const Tensor& to) {
  for (int64_t i = 0; i < to.rows(); ++i) {
    std::transform(rows.row(first + i), rows.row(first + i) + rows.width, to.row<Real>(i),
                   [&](double x) { return static_cast<Real>(factor * x); });
  }
}

void give_rows(const VectorMatrix& rows, int64_t first, double factor, const Tensor& to) {
  if (to.dtype() == DType::float64) {
    write_rows<double>(rows, first, factor, to);
  } else {
    write_rows<float>(rows, first, factor, to);
  }
}

}  // namespace

VectorObjective::VectorObjective(const Model& model, const VectorInputs& inputs, const VectorObjectiveOptions& options,
                                 Validate validate, RandomStream random)
    : model_(model), inputs_(inputs), options_(options), validate_(std::move(validate)), random_(random) {}

void VectorObjective::prepare(int64_t step) {
  const int64_t examples = std::ssize(inputs_.examples), per_epoch = steps_per_epoch(examples, options_.batch_size);
  const int64_t epoch = (step - 1) / per_epoch;
  if (epoch != std::exchange(epoch_, epoch)) order_ = epoch_order(examples, random_, epoch);
  const int64_t begin = (step - 1) % per_epoch * options_.batch_size;
  const int64_t end = std::min(begin + options_.batch_size, examples);
  micro_batches_.clear();
  texts_ = 0;
  labels_ = end - begin;
  compose(step, epoch, std::span(order_).subspan(static_cast<size_t>(begin), static_cast<size_t>(labels_)));
}

void VectorObjective::add_text(std::span<const int32_t> ids, std::span<const int32_t> segments) {
  if (micro_batches_.empty() ||
      micro_batches_.back().batch.tokens() + static_cast<int64_t>(ids.size()) > options_.batch_tokens) {
    micro_batches_.push_back({.first = texts_, .batch = {}});
  }
  micro_batches_.back().batch.append(ids, segments);
  ++texts_;
}

Json VectorObjective::cursor() const { return Json::object(); }

int64_t VectorObjective::tokens() const {
  int64_t count = 0;
  for (const MicroBatch& one : micro_batches_) count += one.batch.tokens();
  return count;
}

Value VectorObjective::hidden(const Context& context, const Batch& batch) const {
  return model_.trunk().forward(context, batch);
}

LossSum VectorObjective::more_loss(const Context&, const Value&, const Batch&, double) const { return {}; }

Value VectorObjective::vectors(const Context& context, const Value& hidden, const Batch& batch) const {
  return pooled_vectors(context, model_, options_.pooling, hidden, batch);
}

void VectorObjective::before_pass(const std::function<Context(int64_t micro_batch)>& context_of) {
  if (micro_batches_.size() < 2) return;
  VectorMatrix all(texts_, model_.config().hidden);
  for (int64_t i = 0; i < micro_batches(); ++i) {
    const auto& [first, batch] = micro_batches_[static_cast<size_t>(i)];
    const Context context = context_of(i);
    take_rows(model_.backend().to_host(vectors(context, hidden(context, batch), batch).data), first, all);
  }
  cached_gradient_ = VectorMatrix(all.rows, all.width);
  cached_loss_ = loss(all, &cached_gradient_);
}

Loss VectorObjective::forward(const Context& context, int64_t micro_batch, double gradient_scale) {
  const auto& [first, batch] = micro_batches_[static_cast<size_t>(micro_batch)];
  const Value states = hidden(context, batch);
  const bool alone = micro_batches_.size() == 1;
  const Loss of_vectors =
      host_loss(context, vectors(context, states, batch), [&, first = first](const Tensor& x, Tensor* gradient) {
        if (!alone) {
          if (gradient != nullptr) give_rows(cached_gradient_, first, gradient_scale, *gradient);
          return first == 0 ? cached_loss_ : LossSum();
        }
        VectorMatrix all(x.rows(), x.columns());
        take_rows(x, 0, all);
        VectorMatrix by_vectors(x.rows(), x.columns());
        const LossSum sum = loss(all, gradient == nullptr ? nullptr : &by_vectors);
        if (gradient != nullptr) give_rows(by_vectors, 0, gradient_scale, *gradient);
        return sum;
      });
  const LossSum more = more_loss(context, states, batch, gradient_scale), sum = of_vectors.read();
  return {model_.backend(), LossSum{.sum = sum.sum + more.sum, .correct = sum.correct}};
}

LossSum pair_loss(const VectorMatrix& vectors, const ScoredPairs& pairs, const PairObjectiveOptions& options,
                  VectorMatrix* gradient) {
  return sum_over_sizes(options.sizes, gradient, [&](int64_t dimensions, VectorMatrix* part) {
    return options.by_order ? cosent_loss(vectors, pairs, options.scale, dimensions, part)
                            : cosine_loss(vectors, pairs, options.low, options.high, dimensions, part);
  });
}

PairObjective::PairObjective(const Model& model, const VectorInputs& inputs, std::vector<double> scores,
                             const PairObjectiveOptions& pairs, const VectorObjectiveOptions& options,
                             Validate validate, RandomStream random)
    : VectorObjective(model, inputs, options, std::move(validate), random),
      scores_(std::move(scores)),
      pair_options_(pairs) {}

void PairObjective::compose(int64_t, int64_t, std::span<const int64_t> rows) {
  pairs_ = {};
  for (const int64_t row : rows) {
    const std::vector<int32_t>& example = inputs().examples[static_cast<size_t>(row)];
    const auto first = static_cast<int32_t>(2 * pairs_.scores.size());
    pairs_.first.push_back(first);
    pairs_.second.push_back(first + 1);
    pairs_.scores.push_back(scores_[static_cast<size_t>(row)]);
    for (const size_t side : {0, 1}) {
      const Encoding& text = inputs().texts[static_cast<size_t>(example[side])];
      add_text(text.ids, text.segment_ids);
    }
  }
}

LossSum PairObjective::loss(const VectorMatrix& vectors, VectorMatrix* gradient) const {
  return pair_loss(vectors, pairs_, pair_options_, gradient);
}

}  // namespace roformer
