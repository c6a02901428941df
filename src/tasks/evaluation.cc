#include "tasks/evaluation.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "base/progress.h"
#include "inference/head_scores.h"

namespace roformer {

namespace {

// The right answer of an example in the form of the prediction.
Json gold_json(const Task& task, const Example& example) {
  switch (task.kind) {
    case TaskKind::classification: return example.labels.empty() ? Json() : Json(example.labels.front());
    case TaskKind::multilabel:
    case TaskKind::token_classification: return example.labels;
    case TaskKind::regression:
    case TaskKind::pair_similarity: return example.value;
    case TaskKind::question_answering: {
      Json answers = Json::array();
      for (const AnswerSpan& answer : example.answers) answers.push_back(answer.text);
      return answers;
    }
    case TaskKind::contrastive: return example.texts[1];
    default: return example.choice;
  }
}

}  // namespace

std::vector<std::string> encoding_notices(const EncodedExamples& encoded, const std::string& file) {
  std::vector<std::string> notices;
  const auto note = [&](int64_t count, const char* one, const char* what) {
    if (count > 0) notices.push_back(fmt::format("{}: {} {}", file, counted(count, one), what));
  };
  note(encoded.cut, "example", "longer than the maximum length and cut");
  note(encoded.unanswered, "question", "whose answer is not in the context");
  return notices;
}

TaskEvaluation evaluate_task(const Task& task, const Model& model, const Tokenizer& tokenizer,
                             std::span<const Example> examples, const std::string& file,
                             const EvaluationOptions& options, const std::function<void(const std::string&)>& warned) {
  require_head(model, head_of(task.kind));
  const TaskInputs inputs(task.kind, model.config(), tokenizer, options.inputs);
  const EncodedExamples encoded = inputs.encode(examples, file, model.backend().pool());
  for (const std::string& notice : encoding_notices(encoded, file)) warned(notice);
  TaskEvaluation result;
  result.predictions = predict(model, tokenizer, examples, encoded, options.prediction);
  result.loss = mean_loss(result.predictions);
  result.metrics = task_metrics(task, model.config().labels, examples, result.predictions);
  return result;
}

ScoreTable scores_of(const MetricSet& metrics, ThreadPool& pool) { return score_table(metrics, {}, pool); }

Json prediction_json(const Task& task, const std::vector<std::string>& labels, const Example& example,
                     const Prediction& prediction) {
  Json line = Json::object();
  if (!example.id.empty()) line["id"] = example.id;
  line["line"] = example.line;
  line["texts"] = example.texts;
  if (example.labeled) line["label"] = gold_json(task, example);
  const auto scores_by_name = [&](const std::vector<double>& output) {
    Json scores = Json::object();
    for (size_t i = 0; i < output.size(); ++i) scores[labels[i]] = output[i];
    return scores;
  };
  const auto& outputs = prediction.outputs;
  switch (task.kind) {
    case TaskKind::classification:
      line["prediction"] = labels[static_cast<size_t>(predicted_index(outputs.front()))];
      line["scores"] = scores_by_name(outputs.front());
      break;
    case TaskKind::multilabel: {
      Json predicted = Json::array(), scores = Json::object();
      for (size_t i = 0; i < outputs.size(); ++i) {
        if (outputs[i].front() > 0.5) predicted.push_back(labels[i]);
        scores[labels[i]] = outputs[i].front();
      }
      line["prediction"] = predicted;
      line["scores"] = scores;
      break;
    }
    case TaskKind::token_classification: {
      Json tags = Json::array(), scores = Json::array();
      for (const std::vector<double>& output : outputs) {
        const auto best = static_cast<size_t>(predicted_index(output));
        tags.push_back(labels[best]);
        scores.push_back(output[best]);
      }
      line["prediction"] = tags;
      line["scores"] = scores;
      break;
    }
    case TaskKind::question_answering:
      line["prediction"] = prediction.answer.text;
      line["score"] = prediction.answer.score;
      break;
    case TaskKind::contrastive:
      line["prediction"] = prediction.answer.text;
      line["score"] = prediction.answer.score;
      line["rank"] = static_cast<int64_t>(outputs.front().front());
      break;
    case TaskKind::multiple_choice:
      line["prediction"] = predicted_index(outputs.front());
      line["scores"] = outputs.front();
      break;
    case TaskKind::triplet:
      line["prediction"] = outputs[0].front() > outputs[1].front() ? 0 : 1;
      line["scores"] = {outputs[0].front(), outputs[1].front()};
      break;
    default: line["prediction"] = outputs.front().front();
  }
  return line;
}

void write_predictions(const std::string& path, const Task& task, const std::vector<std::string>& labels,
                       std::span<const Example> examples, std::span<const Prediction> predictions) {
  std::string text;
  for (size_t i = 0; i < examples.size(); ++i) {
    text += dump_json(prediction_json(task, labels, examples[i], predictions[i])) + "\n";
  }
  write_file_atomically(path, text);
}

}  // namespace roformer
