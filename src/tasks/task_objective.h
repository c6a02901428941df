// Fine-tuning of a model with a head: examples in a new order each epoch, packed without padding.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/random.h"
#include "tasks/predictions.h"
#include "tasks/task_batch.h"
#include "training/objective.h"

namespace roformer {

struct TaskObjectiveOptions {
  int64_t batch_size = 32;        // parts of a micro-batch
  int64_t accumulate = 1;         // batches of this size per step
  int64_t batch_tokens = 16'384;  // of a micro-batch, at least one part: bounds the memory of a step
  TaskLossOptions loss = {};

  int64_t per_step() const { return batch_size * accumulate; }
};

// Steps in an epoch: its last one may have fewer than `per_step` parts.
int64_t steps_per_epoch(int64_t parts, int64_t per_step);

// The order of `count` things in epoch 0, 1, …: a permutation that follows from the stream and the epoch.
std::vector<int64_t> epoch_order(int64_t count, RandomStream random, int64_t epoch);

class TaskObjective final : public Objective {
 public:
  // Loss and metrics of the validation examples, in inference.
  using Validate = std::function<Evaluation()>;

  // `model` must outlive it. Parts without a target are left out.
  TaskObjective(const Model& model, std::vector<EncodedPart> training, const TaskObjectiveOptions& options,
                Validate validate, RandomStream random);

  void prepare(int64_t step) override;
  Json cursor() const override;
  void resume(const JsonObject&) override {}  // the step says where the data continues
  int64_t micro_batches() const override { return std::ssize(micro_batches_); }
  int64_t labels() const override { return labels_; }
  int64_t tokens() const override;
  Loss forward(const Context& context, int64_t micro_batch, double gradient_scale) override;
  Evaluation validate(const Context&) override { return validate_(); }

  int64_t parts() const { return std::ssize(training_); }

 private:
  const Model& model_;
  std::vector<EncodedPart> training_;
  TaskObjectiveOptions options_;
  Validate validate_;
  RandomStream random_;
  int64_t epoch_ = -1;
  std::vector<int64_t> order_;  // of epoch_
  std::vector<TaskBatch> micro_batches_;
  int64_t labels_ = 0;
};

}  // namespace roformer
