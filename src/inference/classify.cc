#include "inference/classify.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/error.h"
#include "inference/head_scores.h"
#include "inference/question_answering.h"

namespace roformer {

namespace {

std::vector<double> row_of(const Tensor& logits, int64_t row) {
  const float* first = logits.row<float>(row);
  return {first, first + logits.columns()};
}

std::vector<double> probabilities(Problem problem, std::vector<double> logits) {
  if (problem == Problem::single_label) return softmax(std::move(logits));
  if (problem == Problem::multi_label || problem == Problem::score) {
    for (double& logit : logits) logit = 1 / (1 + std::exp(-logit));
  }
  return logits;
}

// Encodes "prompt TAB choice TAB choice …" as one sequence per choice, each with the prompt.
ItemEncoder encode_choices(const Tokenizer& tokenizer, int64_t max_length) {
  tokenizer.encode("", "", max_length);
  return [&tokenizer, max_length](std::string_view item) {
    size_t tab = item.find('\t');
    if (tab == std::string_view::npos) throw DataError("no tab between the prompt and its choices");
    const std::string_view prompt = item.substr(0, tab);
    std::vector<Encoding> sequences;
    while (tab != std::string_view::npos) {
      const size_t next = item.find('\t', tab + 1);
      sequences.push_back(tokenizer.encode(prompt, item.substr(tab + 1, next - tab - 1), max_length));
      tab = next;
    }
    return sequences;
  };
}

std::vector<std::vector<double>> classify_all(const Model& model, TextSource& source, ItemEncoder encode,
                                              const TextBatching& batching,
                                              const std::optional<LogitActivation>& activation) {
  require_head(model, Head::sequence_classification);
  return compute_batches(source, std::move(encode), batching, model.backend().pool(),
                         [&](const TextBatch& batch) { return classify_sequences(model, batch, activation); });
}

}  // namespace

ItemEncoder encode_for_head(const Model& model, const Tokenizer& tokenizer, const ClassifyOptions& options) {
  TextPreparation preparation = options.preparation;
  if (options.max_length) preparation.max_length = *options.max_length;
  switch (model.config().head) {
    case Head::sequence_classification:
    case Head::token_classification:
      return options.pair ? encode_pair(tokenizer, preparation) : encode_text(tokenizer, preparation);
    case Head::question_answering:
      return encode_question(tokenizer,
                             question_windows(model.config(), tokenizer, options.max_length, options.stride));
    case Head::multiple_choice: return encode_choices(tokenizer, preparation.max_length);
    default: break;
  }
  refuse_head(model.config(),
              fmt::format("the model has {}, expected one of sequence classification, token classification, question "
                          "answering or multiple choice",
                          describe_head(model.config().head)));
}

std::vector<std::vector<double>> classify_sequences(const Model& model, const TextBatch& batch,
                                                    const std::optional<LogitActivation>& activation) {
  const Tensor logits = head_logits(model, batch.batch);
  std::vector<std::vector<double>> result;
  for (int64_t i = 0; i < logits.rows(); ++i) {
    std::vector<double> scores = row_of(logits, i);
    if (!activation) {
      scores = probabilities(model.config().problem, std::move(scores));
    } else if (activation->softmax) {
      scores = softmax(std::move(scores));
    } else {
      std::ranges::transform(scores, scores.begin(), activation->each);
    }
    result.push_back(std::move(scores));
  }
  return result;
}

std::vector<std::vector<double>> classify_sequences(const Model& model, const Tokenizer& tokenizer, Texts texts,
                                                    const TextBatching& batching,
                                                    const std::optional<LogitActivation>& activation) {
  TextList source(texts);
  return classify_all(model, source, encode_text(tokenizer, batching.preparation()), batching, activation);
}

std::vector<std::vector<double>> classify_sequences(const Model& model, const Tokenizer& tokenizer, TextPairs pairs,
                                                    const TextBatching& batching,
                                                    const std::optional<LogitActivation>& activation) {
  PairList source(pairs);
  return classify_all(model, source, encode_pair(tokenizer, batching.preparation(), kPairSeparator), batching,
                      activation);
}

std::vector<std::vector<TokenLabel>> label_tokens(const Model& model, const TextBatch& batch) {
  const Tensor logits = head_logits(model, batch.batch);
  std::vector<std::vector<TokenLabel>> result;
  int64_t row = 0;
  for (const TextItem& item : batch.items) {
    const Encoding& encoding = item.sequences[0];
    std::vector<TokenLabel>& labels = result.emplace_back();
    for (size_t t = 0; t < encoding.ids.size(); ++t, ++row) {
      if (encoding.offsets[t][0] == encoding.offsets[t][1]) continue;  // [CLS], [SEP]
      const std::vector<double> shares = softmax(row_of(logits, row));
      const size_t best = best_of(shares);
      labels.push_back({encoding.ids[t], best, shares[best], encoding.segment_ids[t], encoding.offsets[t]});
    }
  }
  return result;
}

std::vector<std::vector<TokenLabel>> label_tokens(const Model& model, const Tokenizer& tokenizer, Texts texts,
                                                  const TextBatching& batching) {
  require_head(model, Head::token_classification);
  TextList source(texts);
  return compute_batches(source, encode_text(tokenizer, batching.preparation()), batching, model.backend().pool(),
                         [&](const TextBatch& batch) { return label_tokens(model, batch); });
}

std::vector<std::vector<double>> choose(const Model& model, const TextBatch& batch) {
  const Tensor logits = head_logits(model, batch.batch);
  std::vector<std::vector<double>> result;
  int64_t row = 0;
  for (const TextItem& item : batch.items) {
    std::vector<double> choices;
    for (size_t i = 0; i < item.sequences.size(); ++i) choices.push_back(*logits.row<float>(row++));
    result.push_back(softmax(std::move(choices)));
  }
  return result;
}

std::vector<double> choose(const Model& model, const Tokenizer& tokenizer, std::string_view prompt, Texts choices,
                           const TextBatching& batching) {
  require_head(model, Head::multiple_choice);
  std::vector<std::pair<std::string_view, std::string_view>> pairs;
  for (size_t i = 0; i < choices.size(); ++i) pairs.emplace_back(prompt, choices[i]);
  PairList source(pairs);
  const auto scores = compute_batches(source, encode_pair(tokenizer, batching.preparation(), kPairSeparator), batching,
                                      model.backend().pool(), [&](const TextBatch& batch) {
                                        std::vector<double> result;
                                        const Tensor one = head_logits(model, batch.batch, batching.stop_token);
                                        for (int64_t i = 0; i < one.rows(); ++i) result.push_back(*one.row<float>(i));
                                        return result;
                                      });
  return softmax(scores);
}

size_t best_of(const std::vector<double>& probabilities) {
  return static_cast<size_t>(std::max_element(probabilities.begin(), probabilities.end()) - probabilities.begin());
}

}  // namespace roformer
