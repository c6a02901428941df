// What a fine-tuning does for its kind of task: tasks with a head (head_task.cc) and sentence vectors
// (vectors/vector_task.cc). All else is common to them (finetune.cc).
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "models/model.h"
#include "tasks/evaluation.h"
#include "tasks/finetune_plan.h"
#include "training/objective.h"

namespace roformer {

class FinetuneTask {
 public:
  FinetuneTask() = default;
  virtual ~FinetuneTask() = default;
  FinetuneTask(const FinetuneTask&) = delete;
  FinetuneTask& operator=(const FinetuneTask&) = delete;

  // What a batch has batch_size of, in an epoch.
  virtual int64_t training_examples() const = 0;
  // What the result depends on beside the options: compared by a run that is resumed.
  virtual Json settings() const { return Json::object(); }
  // Of the model directory, beside the configuration and the tokenizer.
  virtual std::map<std::string, std::string> files() const { return {}; }
  // The names of what is measured, "loss" among them.
  virtual std::vector<std::string> metric_names() const = 0;
  // Of the validation examples.
  virtual TaskEvaluation evaluate(const Model& model) const = 0;
  // Called once; the objective is valid as long as the task and the model.
  virtual std::unique_ptr<Objective> objective(const Model& model, std::function<Evaluation()> validate,
                                               RandomStream random) = 0;
};

// The task of the plan, with its examples encoded. `options`, `plan` and `tokenizer` must outlive it; the plan gets
// warnings. UsageError for options that do not fit the task, DataError for texts that cannot be encoded, and if nothing
// can be learned from the examples.
std::unique_ptr<FinetuneTask> make_finetune_task(const FinetuneOptions& options, FinetunePlan& plan,
                                                 const Tokenizer& tokenizer, ThreadPool& pool);
std::unique_ptr<FinetuneTask> make_head_task(const FinetuneOptions& options, FinetunePlan& plan,
                                             const Tokenizer& tokenizer, ThreadPool& pool);
std::unique_ptr<FinetuneTask> make_vector_task(const FinetuneOptions& options, FinetunePlan& plan,
                                               const Tokenizer& tokenizer, ThreadPool& pool);

}  // namespace roformer
