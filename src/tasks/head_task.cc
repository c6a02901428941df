// Fine-tuning of a model with a head.
#include <algorithm>
#include <utility>

#include "base/error.h"
#include "tasks/finetune_task.h"
#include "tasks/task_objective.h"

namespace roformer {

namespace {

// `weights` are those of the labels, which all terms are about.
void weigh(EncodedExamples& encoded, const std::vector<double>& weights) {
  for (EncodedPart& part : encoded.parts) {
    for (size_t i = 0; i < part.terms.size(); ++i) {
      LossTerm& term = part.terms[i];
      if (term.target < 0) continue;
      if (term.kind == TermKind::softmax) term.weight = weights[static_cast<size_t>(term.target)];
      if (term.kind == TermKind::sigmoid && term.target == 1) term.weight = weights[i];
    }
  }
}

int64_t count_with_target(const EncodedExamples& encoded) {
  return std::ranges::count_if(
      encoded.parts, [](const EncodedPart& part) { return std::ranges::any_of(part.terms, &LossTerm::has_target); });
}

// In the form of those of a model.
std::vector<Prediction> blank_predictions(const EncodedExamples& encoded) {
  std::vector<Prediction> blank(static_cast<size_t>(encoded.examples));
  for (const EncodedPart& part : encoded.parts) {
    Prediction& prediction = blank[static_cast<size_t>(part.source)];
    for (const LossTerm& term : part.terms) {
      prediction.outputs.emplace_back(term.kind == TermKind::softmax ? static_cast<size_t>(term.count) : 1, 0.0);
    }
  }
  return blank;
}

class HeadTask final : public FinetuneTask {
 public:
  HeadTask(const FinetuneOptions& options, FinetunePlan& plan, const Tokenizer& tokenizer, ThreadPool& pool)
      : options_(options),
        plan_(plan),
        tokenizer_(tokenizer),
        prediction_{.may_have_none = may_have_none(plan.training), .stop_token = options.stop_token} {
    const TaskInputs inputs(plan.task->kind, plan.config, tokenizer, plan.inputs);
    const std::string& file = options.train.front();
    const std::string& other = options.validation.empty() ? file : options.validation.front();
    training_ = inputs.encode(plan.training, file, pool);
    validation_ = inputs.encode(plan.validation, other, pool);
    for (const std::string& notice : encoding_notices(training_, file)) plan.warnings.push_back(notice);
    if (other != file) {
      for (const std::string& notice : encoding_notices(validation_, other)) plan.warnings.push_back(notice);
    }
    check_metric(plan.metric, *plan.task, plan.config.labels, plan.validation, blank_predictions(validation_));
    if (!options.class_weights.empty()) {
      const LabelNames labels(plan.config.labels);
      weigh(training_, label_weights(options.class_weights, plan.task->kind, labels, plan.training));
    }
    examples_ = count_with_target(training_);
    if (examples_ == 0) throw DataError("{}: no example can be trained on", FilePath(file));
  }

  int64_t training_examples() const override { return examples_; }

  TaskEvaluation evaluate(const Model& model) const override {
    return evaluate_encoded(*plan_.task, model, tokenizer_, plan_.validation, validation_, prediction_);
  }

  std::unique_ptr<Objective> objective(const Model& model, std::function<Evaluation()> validate,
                                       RandomStream random) override {
    return std::make_unique<TaskObjective>(
        model, std::move(training_.parts),
        TaskObjectiveOptions{
            .batch_size = options_.batch_size,
            .accumulate = options_.accumulate,
            .batch_tokens = options_.batch_tokens,
            .loss = {.terms = {.label_smoothing = options_.label_smoothing}, .r_drop = options_.r_drop}},
        std::move(validate), random);
  }

 private:
  const FinetuneOptions& options_;
  const FinetunePlan& plan_;
  const Tokenizer& tokenizer_;
  PredictionOptions prediction_;
  EncodedExamples training_, validation_;
  int64_t examples_ = 0;
};

}  // namespace

std::unique_ptr<FinetuneTask> make_head_task(const FinetuneOptions& options, FinetunePlan& plan,
                                             const Tokenizer& tokenizer, ThreadPool& pool) {
  return std::make_unique<HeadTask>(options, plan, tokenizer, pool);
}

}  // namespace roformer
