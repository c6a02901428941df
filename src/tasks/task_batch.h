// Encoded parts as packed batches, and their loss.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "models/model.h"
#include "nn/batch.h"
#include "tasks/task_inputs.h"

namespace roformer {

struct TaskBatch {
  Batch batch;
  std::vector<const EncodedPart*> parts;
  std::vector<int64_t> rows{0};  // [parts + 1] first row of logits of each part, then their number

  // `per_token`: the head gives a row of logits per token, else per sequence. `part` must outlive it.
  void append(const EncodedPart& part, bool per_token);
  int64_t terms() const;  // with a target
};

struct TaskLossOptions {
  TermOptions terms = {};
  double r_drop = 0;  // weight of R-Drop's divergence; the batch then has all its parts twice, one half after the other
};

// The sum over all terms with a target; with R-Drop over the terms of one half, of both passes' mean loss plus the
// weighted divergence. The gradient is multiplied by `gradient_scale`.
Loss task_loss(const Context& context, const Model& model, const TaskBatch& batch, const TaskLossOptions& options,
               double gradient_scale);

}  // namespace roformer
