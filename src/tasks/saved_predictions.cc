#include "tasks/saved_predictions.h"

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "tasks/task_inputs.h"
#include "tasks/task_scores.h"

namespace roformer {

namespace {

constexpr int64_t kMaxPredictionBytes = int64_t{1} << 34;

std::vector<double> numbers(const JsonObject& line, const std::string& key) {
  const Json list = line.value().value(key, Json());
  const bool right = list.is_array() && std::ranges::all_of(list, [](const Json& one) { return one.is_number(); });
  if (!right) line.reject(key, "a list of numbers");
  return list.get<std::vector<double>>();
}

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
        if (is_predicted(outputs[i].front())) predicted.push_back(labels[i]);
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
      line["prediction"] = predicted_side(prediction);
      line["scores"] = {outputs[0].front(), outputs[1].front()};
      break;
    default: line["prediction"] = outputs.front().front();
  }
  return line;
}

class PredictionReader {
 public:
  PredictionReader(const Task& task, const std::vector<std::string>& labels) : task_(task), labels_(labels) {}

  void read(const JsonObject& line, Example& example, Prediction& prediction) const {
    example.id = line.get_string("id", "");
    example.line = line.get_int("line", 0);
    example.texts = line.get_strings("texts", std::nullopt);
    example.labeled = line.has("label");
    switch (task_.kind) {
      case TaskKind::classification:
        if (example.labeled) example.labels = {line.get_string("label", std::nullopt)};
        prediction.outputs = {scores_by_name(line)};
        break;
      case TaskKind::multilabel:
        if (example.labeled) example.labels = line.get_strings("label", std::nullopt);
        for (const double score : scores_by_name(line)) prediction.outputs.push_back({score});
        break;
      case TaskKind::token_classification:
        if (example.labeled) example.labels = line.get_strings("label", std::nullopt);
        read_tags(line, example, prediction);
        break;
      case TaskKind::question_answering:
        if (example.labeled) {
          for (std::string& answer : line.get_strings("label", std::nullopt)) example.answers.push_back({answer});
        }
        prediction.answer.text = line.get_string("prediction", std::nullopt);
        prediction.answer.score = line.get_double("score", std::nullopt);
        break;
      case TaskKind::multiple_choice:
        if (example.labeled) example.choice = line.get_int("label", std::nullopt);
        prediction.outputs = {numbers(line, "scores")};
        if (prediction.outputs[0].size() + 1 != example.texts.size()) line.reject("scores", "one per choice");
        break;
      case TaskKind::triplet:
        if (example.labeled) example.choice = line.get_int("label", std::nullopt);
        for (const double score : numbers(line, "scores")) prediction.outputs.push_back({score});
        if (prediction.outputs.size() != 2) line.reject("scores", "two numbers");
        break;
      case TaskKind::contrastive:
        prediction.outputs = {{line.get_double("rank", std::nullopt, 1)}};
        prediction.answer.text = line.get_string("prediction", std::nullopt);
        prediction.answer.score = line.get_double("score", std::nullopt);
        if (example.texts.size() < 2) line.reject("texts", "an anchor and its positive");
        break;
      default:
        if (example.labeled) example.value = line.get_double("label", std::nullopt);
        prediction.outputs = {{line.get_double("prediction", std::nullopt)}};
    }
  }

 private:
  std::vector<double> scores_by_name(const JsonObject& line) const {
    if (!line.has("scores")) line.reject("scores", "an object of scores by label");
    const JsonObject scores = line.get_object("scores");
    std::vector<double> output;
    for (const std::string& label : labels_.names()) output.push_back(scores.get_double(label, 0));
    for (const auto& [name, score] : scores.value().items()) {
      if (std::ranges::find(labels_.names(), name) == labels_.names().end()) {
        line.reject("scores", "scores of the labels of the model");
      }
    }
    return output;
  }

  void read_tags(const JsonObject& line, const Example& example, Prediction& prediction) const {
    const std::vector<std::string> tags = line.get_strings("prediction", std::nullopt);
    const std::vector<double> scores = numbers(line, "scores");
    const bool whole = tags.size() == example.texts.size() && tags.size() == scores.size() &&
                       (!example.labeled || tags.size() == example.labels.size());
    if (!whole) line.reject("prediction", "a tag per token");
    for (size_t i = 0; i < tags.size(); ++i) {
      const int32_t id = labels_.find(tags[i]);
      if (id < 0) line.reject("prediction", "tags of the model");
      prediction.outputs.emplace_back(labels_.names().size(), 0.0)[static_cast<size_t>(id)] = scores[i];
    }
  }

  const Task& task_;
  LabelNames labels_;
};

}  // namespace

void write_predictions(const std::string& path, const Task& task, const std::vector<std::string>& labels,
                       std::span<const Example> examples, std::span<const Prediction> predictions) {
  std::string text;
  for (size_t i = 0; i < examples.size(); ++i) {
    text += dump_json(prediction_json(task, labels, examples[i], predictions[i])) + "\n";
  }
  write_file_atomically(path, text);
}

void PredictedExamples::append(PredictedExamples more) {
  std::ranges::move(more.examples, std::back_inserter(examples));
  std::ranges::move(more.predictions, std::back_inserter(predictions));
}

PredictedExamples read_predictions(const Task& task, const std::string& path, const std::vector<std::string>& labels) {
  const PredictionReader reader(task, labels);
  PredictedExamples result{.labels = labels};
  const std::string text = read_file(path, kMaxPredictionBytes);
  int64_t number = 1;
  for (size_t begin = 0; begin < text.size(); ++number) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const std::string place = fmt::format("{}:{}", path, number);
    reader.read(JsonObject(parse_json(std::string_view(text).substr(begin, end - begin), place, {}, path), place),
                result.examples.emplace_back(), result.predictions.emplace_back());
    begin = end + 1;
  }
  return result;
}

}  // namespace roformer
