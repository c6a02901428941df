#include "tasks/predictions.h"

#include <algorithm>
#include <optional>

#include "inference/head_scores.h"
#include "tasks/task_batch.h"

namespace roformer {

namespace {

// Turns the logits of parts into predictions, in the order of the parts.
class PredictionWriter {
 public:
  PredictionWriter(const Tokenizer& tokenizer, std::span<const Example> examples, const PredictionOptions& options)
      : tokenizer_(tokenizer), examples_(examples), options_(options), predictions_(examples.size()) {}

  void add(const EncodedPart& part, std::span<const float> logits, bool answers) {
    Prediction& prediction = predictions_[static_cast<size_t>(part.source)];
    const std::vector<double> values(logits.begin(), logits.end());
    for (LossTerm term : part.terms) {
      term.weight = 1;
      prediction.loss += term_loss(term, values, {}, 1, {}).loss;
      prediction.terms += term.has_target() ? 1 : 0;
      if (!answers) prediction.outputs.push_back(term_output(term, values));
    }
    if (!answers) return;
    if (part.source != source_) {
      finish();
      source_ = part.source;
      search_.emplace(tokenizer_, examples_[static_cast<size_t>(source_)].texts[1],
                      AnswerOptions{.may_have_none = options_.may_have_none});
    }
    search_->add(part.sequences.front(), logits);
  }
  void finish() {
    if (search_) predictions_[static_cast<size_t>(source_)].answer = search_->best();
    search_.reset();
  }
  std::vector<Prediction> take() { return std::move(predictions_); }

 private:
  const Tokenizer& tokenizer_;
  std::span<const Example> examples_;
  const PredictionOptions& options_;
  std::vector<Prediction> predictions_;
  int64_t source_ = -1;
  std::optional<AnswerSearch> search_;  // of the example `source_`
};

}  // namespace

std::vector<Prediction> predict(const Model& model, const Tokenizer& tokenizer, std::span<const Example> examples,
                                const EncodedExamples& encoded, const PredictionOptions& options) {
  const bool per_token = labels_tokens(model.config().head);
  const bool answers = model.config().head == Head::question_answering;
  PredictionWriter writer(tokenizer, examples, options);
  TaskBatch batch;
  const auto compute = [&] {
    if (batch.parts.empty()) return;
    const Tensor logits = head_logits(model, batch.batch, options.stop_token);
    for (size_t i = 0; i < batch.parts.size(); ++i) {
      const auto rows = static_cast<size_t>(batch.rows[i + 1] - batch.rows[i]);
      writer.add(*batch.parts[i], {logits.row<float>(batch.rows[i]), rows * static_cast<size_t>(logits.columns())},
                 answers);
    }
    batch = TaskBatch();
  };
  for (const EncodedPart& part : encoded.parts) {
    if (batch.batch.tokens() + part.tokens() > options.batch_tokens) compute();
    batch.append(part, per_token);
  }
  compute();
  writer.finish();
  return writer.take();
}

bool may_have_none(std::span<const Example> examples) {
  return std::ranges::any_of(examples, [](const Example& example) {
    return example.labeled && example.answers.empty() && example.texts.size() == 2;
  });
}

double mean_loss(std::span<const Prediction> predictions) {
  double sum = 0;
  int64_t terms = 0;
  for (const Prediction& prediction : predictions) {
    sum += prediction.loss;
    terms += prediction.terms;
  }
  return terms == 0 ? 0 : sum / static_cast<double>(terms);
}

}  // namespace roformer
