#include "tasks/task_objective.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>
#include <utility>

namespace roformer {

int64_t steps_per_epoch(int64_t parts, int64_t per_step) { return (parts + per_step - 1) / per_step; }

std::vector<int64_t> epoch_order(int64_t count, RandomStream random, int64_t epoch) {
  std::vector<int64_t> order(static_cast<size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  Generator generator(substream(random, static_cast<uint64_t>(epoch)));
  for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[generator.below(i)]);
  return order;
}

TaskObjective::TaskObjective(const Model& model, std::vector<EncodedPart> training, const TaskObjectiveOptions& options,
                             Validate validate, RandomStream random)
    : model_(model),
      training_(std::move(training)),
      options_(options),
      validate_(std::move(validate)),
      random_(random) {
  std::erase_if(training_,
                [](const EncodedPart& part) { return std::ranges::none_of(part.terms, &LossTerm::has_target); });
}

void TaskObjective::prepare(int64_t step) {
  const int64_t per_epoch = steps_per_epoch(parts(), options_.per_step());
  const int64_t epoch = (step - 1) / per_epoch;
  if (epoch != std::exchange(epoch_, epoch)) order_ = epoch_order(parts(), random_, epoch);
  const int64_t begin = (step - 1) % per_epoch * options_.per_step();
  const int64_t end = std::min(begin + options_.per_step(), parts());
  const bool per_token = labels_tokens(model_.config().head);
  const bool twice = options_.loss.r_drop > 0;
  micro_batches_.clear();
  labels_ = 0;
  std::vector<const EncodedPart*> together;
  int64_t tokens = 0;
  const auto finish = [&] {
    if (together.empty()) return;
    TaskBatch& batch = micro_batches_.emplace_back();
    for (int pass = 0; pass < (twice ? 2 : 1); ++pass) {
      for (const EncodedPart* part : together) batch.append(*part, per_token);
    }
    labels_ += batch.terms() / (twice ? 2 : 1);
    together.clear();
    tokens = 0;
  };
  for (int64_t i = begin; i < end; ++i) {
    const EncodedPart& part = training_[static_cast<size_t>(order_[static_cast<size_t>(i)])];
    const int64_t more = part.tokens() * (twice ? 2 : 1);
    if (tokens + more > options_.batch_tokens || std::ssize(together) == options_.batch_size) finish();
    together.push_back(&part);
    tokens += more;
  }
  finish();
}

Json TaskObjective::cursor() const { return Json::object(); }

int64_t TaskObjective::tokens() const {
  int64_t count = 0;
  for (const TaskBatch& batch : micro_batches_) count += batch.batch.tokens();
  return count;
}

Loss TaskObjective::forward(const Context& context, int64_t micro_batch, double gradient_scale) {
  return task_loss(context, model_, micro_batches_[static_cast<size_t>(micro_batch)], options_.loss, gradient_scale);
}

}  // namespace roformer
