#include "inference/classify.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/error.h"

namespace roformer {

namespace {

const char* describe(Head head) {
  switch (head) {
    case Head::none: return "no head";
    case Head::masked_lm: return "a masked-language-model head";
    case Head::causal_lm: return "a causal-language-model head";
    case Head::sequence_classification: return "a sequence-classification head";
    case Head::token_classification: return "a token-classification head";
    case Head::question_answering: return "a question-answering head";
    case Head::multiple_choice: return "a multiple-choice head";
  }
  return "an unknown head";
}

// The head's logits of a batch, in float32, on the host.
Tensor head_logits(const Model& model, const Batch& batch) {
  const Context context{model.backend(), nullptr, {}, false};
  Tensor logits = context.backend.to_host(model.logits(context, model.encoder().forward(context, batch), batch).data);
  for (int64_t i = 0; i < logits.rows(); ++i) {
    const float* row = logits.row<float>(i);
    if (!std::all_of(row, row + logits.columns(), [](float logit) { return std::isfinite(logit); })) {
      throw DataError("the model's logits are not finite: a weight is not, or the computation overflows");
    }
  }
  return logits;
}

std::vector<double> softmax(std::vector<double> logits) {
  if (logits.empty()) return logits;
  const double largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (double& logit : logits) sum += logit = std::exp(logit - largest);
  for (double& logit : logits) logit /= sum;
  return logits;
}

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

// The bytes of `text` between two code points.
std::string slice(std::string_view text, std::array<int64_t, 2> code_points) {
  std::string result;
  int64_t count = -1;
  for (const char byte : text) {
    if ((static_cast<unsigned char>(byte) & 0xC0) != 0x80) ++count;
    if (count >= code_points[0] && count < code_points[1]) result += byte;
  }
  return result;
}

// One item's best answer; the logits of its tokens start at row `first`.
Answer best_answer(const TextItem& item, const Tensor& logits, int64_t first, int64_t max_tokens) {
  const Encoding& encoding = item.sequences[0];
  std::vector<size_t> tokens;  // of the context
  std::vector<double> starts, ends;
  for (size_t t = 0; t < encoding.ids.size(); ++t) {
    if (encoding.segment_ids[t] == 0 || encoding.offsets[t][0] == encoding.offsets[t][1]) continue;
    const float* row = logits.row<float>(first + static_cast<int64_t>(t));
    tokens.push_back(t);
    starts.push_back(row[0]);
    ends.push_back(row[1]);
  }
  starts = softmax(std::move(starts));
  ends = softmax(std::move(ends));
  Answer best;
  for (size_t s = 0; s < tokens.size(); ++s) {
    const size_t stop = std::min(tokens.size(), s + static_cast<size_t>(max_tokens));
    for (size_t e = s; e < stop; ++e) {
      if (starts[s] * ends[e] <= best.score) continue;
      best.score = starts[s] * ends[e];
      best.offsets = {encoding.offsets[tokens[s]][0], encoding.offsets[tokens[e]][1]};
    }
  }
  best.text = slice(std::string_view(item.text).substr(item.text.find('\t') + 1), best.offsets);
  return best;
}

std::vector<std::vector<double>> classify_all(const Model& model, TextSource& source, ItemEncoder encode,
                                              const TextBatching& batching,
                                              const std::optional<LogitActivation>& activation) {
  if (model.config().head != Head::sequence_classification) {
    throw DataError("the model has {}, expected a sequence-classification head ('{}' of config.json names it)",
                    describe(model.config().head), KeyName("architectures"));
  }
  TextStream stream(source, std::move(encode), batching, model.backend().pool());
  std::vector<std::vector<double>> result;
  for (TextBatch batch; stream.next(batch);) {
    for (std::vector<double>& scores : classify_sequences(model, batch, activation))
      result.push_back(std::move(scores));
  }
  return result;
}

}  // namespace

ItemEncoder encode_for_head(const Model& model, const Tokenizer& tokenizer, const ClassifyOptions& options) {
  switch (model.config().head) {
    case Head::sequence_classification:
    case Head::token_classification:
      return options.pair ? encode_pair(tokenizer, options.preparation) : encode_text(tokenizer, options.preparation);
    case Head::question_answering: return encode_pair(tokenizer, options.preparation);
    case Head::multiple_choice: return encode_choices(tokenizer, options.preparation.max_length);
    default: break;
  }
  throw DataError(
      "the model has {}, expected one of sequence classification, token classification, question answering or multiple "
      "choice ('{}' of config.json names it)",
      describe(model.config().head), KeyName("architectures"));
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

std::vector<std::vector<double>> classify_sequences(const Model& model, const Tokenizer& tokenizer,
                                                    std::span<const std::string> texts, const TextBatching& batching,
                                                    const std::optional<LogitActivation>& activation) {
  TextList source(texts);
  return classify_all(model, source, encode_text(tokenizer, batching.preparation()), batching, activation);
}

std::vector<std::vector<double>> classify_sequences(const Model& model, const Tokenizer& tokenizer,
                                                    std::span<const std::pair<std::string, std::string>> pairs,
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

std::vector<Answer> answer_questions(const Model& model, const TextBatch& batch, int64_t max_tokens) {
  const Tensor logits = head_logits(model, batch.batch);
  std::vector<Answer> result;
  for (size_t i = 0; i < batch.items.size(); ++i) {
    result.push_back(best_answer(batch.items[i], logits, batch.batch.offsets[i], max_tokens));
  }
  return result;
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

size_t best_of(const std::vector<double>& probabilities) {
  return static_cast<size_t>(std::max_element(probabilities.begin(), probabilities.end()) - probabilities.begin());
}

}  // namespace roformer
