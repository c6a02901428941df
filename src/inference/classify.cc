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
  if (problem == Problem::multi_label) {
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

// The second text of a pair, from a file or from memory.
std::string_view second_text(std::string_view item) {
  const size_t separator = item.find(kPairSeparator);
  return item.substr((separator == item.npos ? item.find('\t') : separator) + 1);
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
  best.text = slice(second_text(item.text), best.offsets);
  return best;
}

void require_head(const Model& model, Head head) {
  if (model.config().head == head) return;
  throw DataError("the model has {}, expected {} ('{}' of config.json names it)", describe(model.config().head),
                  describe(head), KeyName("architectures"));
}

// What `compute` gives for the items of a batch, for all items of `source`. Errors are those of a stream.
template <class Compute>
auto compute_all(const Model& model, TextSource& source, ItemEncoder encode, const TextBatching& batching,
                 const Compute& compute) {
  TextStream stream(source, std::move(encode), batching, model.backend().pool());
  decltype(compute(std::declval<const TextBatch&>())) result;
  for (TextBatch batch; stream.next(batch);) {
    for (auto& one : compute(batch)) result.push_back(std::move(one));
  }
  return result;
}

std::vector<std::vector<double>> classify_all(const Model& model, TextSource& source, ItemEncoder encode,
                                              const TextBatching& batching) {
  require_head(model, Head::sequence_classification);
  return compute_all(model, source, std::move(encode), batching,
                     [&](const TextBatch& batch) { return classify_sequences(model, batch); });
}

}  // namespace

ItemEncoder encode_for_head(const Model& model, const Tokenizer& tokenizer, const ClassifyOptions& options) {
  switch (model.config().head) {
    case Head::sequence_classification:
    case Head::token_classification:
      return options.pair ? encode_pair(tokenizer, options.max_length) : encode_text(tokenizer, options.max_length);
    case Head::question_answering: return encode_pair(tokenizer, options.max_length);
    case Head::multiple_choice: return encode_choices(tokenizer, options.max_length);
    default: break;
  }
  throw DataError(
      "the model has {}, expected one of sequence classification, token classification, question answering or multiple "
      "choice ('{}' of config.json names it)",
      describe(model.config().head), KeyName("architectures"));
}

Tensor head_logits(const Model& model, const Batch& batch, const std::stop_token& stop) {
  const Context context{.backend = model.backend(), .stop = stop};
  Tensor logits = context.backend.to_host(model.logits(context, model.encoder().forward(context, batch), batch).data);
  for (int64_t i = 0; i < logits.rows(); ++i) {
    const float* row = logits.row<float>(i);
    if (!std::all_of(row, row + logits.columns(), [](float logit) { return std::isfinite(logit); })) {
      throw DataError("the model's logits are not finite: a weight is not, or the computation overflows");
    }
  }
  return logits;
}

std::vector<std::vector<double>> classify_sequences(const Model& model, const TextBatch& batch) {
  const Tensor logits = head_logits(model, batch.batch);
  std::vector<std::vector<double>> result;
  for (int64_t i = 0; i < logits.rows(); ++i) {
    result.push_back(probabilities(model.config().problem, row_of(logits, i)));
  }
  return result;
}

std::vector<std::vector<double>> classify_sequences(const Model& model, const Tokenizer& tokenizer, Texts texts,
                                                    const TextBatching& batching) {
  TextList source(texts);
  return classify_all(model, source, encode_text(tokenizer, batching.max_length), batching);
}

std::vector<std::vector<double>> classify_sequences(const Model& model, const Tokenizer& tokenizer, TextPairs pairs,
                                                    const TextBatching& batching) {
  PairList source(pairs);
  return classify_all(model, source, encode_pair(tokenizer, batching.max_length, kPairSeparator), batching);
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
  return compute_all(model, source, encode_text(tokenizer, batching.max_length), batching,
                     [&](const TextBatch& batch) { return label_tokens(model, batch); });
}

std::vector<Answer> answer_questions(const Model& model, const TextBatch& batch, int64_t max_tokens) {
  const Tensor logits = head_logits(model, batch.batch);
  std::vector<Answer> result;
  for (size_t i = 0; i < batch.items.size(); ++i) {
    result.push_back(best_answer(batch.items[i], logits, batch.batch.offsets[i], max_tokens));
  }
  return result;
}

std::vector<Answer> answer_questions(const Model& model, const Tokenizer& tokenizer, TextPairs questions,
                                     const TextBatching& batching, int64_t max_tokens) {
  require_head(model, Head::question_answering);
  PairList source(questions);
  return compute_all(model, source, encode_pair(tokenizer, batching.max_length, kPairSeparator), batching,
                     [&](const TextBatch& batch) { return answer_questions(model, batch, max_tokens); });
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
  const auto scores = compute_all(model, source, encode_pair(tokenizer, batching.max_length, kPairSeparator), batching,
                                  [&](const TextBatch& batch) {
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
