#include "tasks/vectors/vector_evaluation.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "tasks/vectors/text_vectors.h"
#include "tasks/vectors/vector_search.h"

namespace roformer {

namespace {

std::vector<Prediction> similarity_predictions(const VectorInputs& inputs, const VectorMatrix& vectors,
                                               Similarity kind) {
  const auto vector_of = [&](int32_t text) {
    return std::vector<float>(vectors.row(text), vectors.row(text) + vectors.width);
  };
  std::vector<Prediction> predictions;
  for (const std::vector<int32_t>& example : inputs.examples) {
    predictions.emplace_back().outputs = {{similarity(kind, vector_of(example[0]), vector_of(example[1]))}};
  }
  return predictions;
}

std::vector<Prediction> rank_predictions(std::span<const Example> examples, const VectorInputs& inputs,
                                         const VectorMatrix& vectors, ThreadPool& pool) {
  std::vector<std::string> names(inputs.texts.size());
  std::vector<int32_t> anchors, positives;
  for (size_t i = 0; i < examples.size(); ++i) {
    const std::vector<int32_t>& example = inputs.examples[i];
    anchors.push_back(example[0]);
    positives.push_back(example[1]);
    names[static_cast<size_t>(example[1])] = examples[i].texts[1];
  }
  std::vector<int32_t> candidates = positives;
  std::ranges::sort(candidates);
  candidates.erase(std::unique(candidates.begin(), candidates.end()), candidates.end());
  const std::vector<std::vector<int32_t>> partners = find_partners(inputs);
  std::vector<Prediction> predictions;
  for (const VectorSearch::Rank& rank : VectorSearch{vectors, partners, candidates, pool}.ranks(anchors, positives)) {
    Prediction& prediction = predictions.emplace_back();
    prediction.outputs = {{static_cast<double>(rank.rank)}};
    prediction.answer.text = names[static_cast<size_t>(rank.best)];
    prediction.answer.score = rank.similarity;
  }
  return predictions;
}

}  // namespace

std::vector<Prediction> vector_predictions(const Task& task, std::span<const Example> examples,
                                           const VectorInputs& inputs, const VectorMatrix& vectors,
                                           Similarity similarity, ThreadPool& pool) {
  if (task.kind == TaskKind::pair_similarity) return similarity_predictions(inputs, vectors, similarity);
  if (similarity == Similarity::dot) return rank_predictions(examples, inputs, vectors, pool);
  if (similarity != Similarity::cosine) {
    throw DataError("the model compares vectors by their distance ('{}'), expected cosine or dot for {}",
                    KeyName("similarity_fn_name"), task.name);
  }
  return rank_predictions(examples, inputs, UnitVectors(vectors, vectors.width).rows(), pool);
}

TaskEvaluation evaluate_vectors(const Task& task, const Model& model, const Tokenizer& tokenizer,
                                std::span<const Example> examples, const std::string& file,
                                const SentenceVectors& vectors, const VectorEvaluationOptions& options,
                                const std::function<void(const std::string&)>& warned) {
  ThreadPool& pool = model.backend().pool();
  const VectorInputs inputs = encode_vector_inputs(examples, file, tokenizer, vectors.texts.preparation, pool);
  for (const std::string& notice : cut_notices(inputs, file)) warned(notice);
  const VectorMatrix rows = text_vectors(model, inputs.texts, vectors.embed, options.stop_token, options.batch_tokens);
  TaskEvaluation result;
  result.predictions = vector_predictions(task, examples, inputs, rows, vectors.similarity, pool);
  result.metrics = task_metrics(task, {}, examples, result.predictions);
  return result;
}

}  // namespace roformer
