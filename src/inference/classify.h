// Inference with classification heads, as probabilities: sequence and token classification, extractive question
// answering, and multiple choice.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "inference/text_stream.h"
#include "inference/torch_activation.h"
#include "models/model.h"

namespace roformer {

struct ClassifyOptions {
  bool pair = false;  // an item is two tab-separated texts
  TextPreparation preparation = {};
};

// The item format of a model's head: a text or a pair for sequence and token classification; "question TAB context" for
// question answering; "prompt TAB choice TAB choice …" for multiple choice, one sequence per choice. DataError for
// another head.
ItemEncoder encode_for_head(const Model& model, const Tokenizer& tokenizer, const ClassifyOptions& options);

// The following functions return one result per item of `batch`, encoded by encode_for_head; DataError for non-finite
// logits.

// Scores of ModelConfig::labels: `activation` of the logits, else by the model's problem: softmax (single_label),
// sigmoid (multi_label, score), raw logits (regression).
std::vector<std::vector<double>> classify_sequences(const Model& model, const TextBatch& batch,
                                                    const std::optional<LogitActivation>& activation = {});
// The same of texts, or pairs, in memory. DataError for another head than sequence classification; errors as
// for_text_batches, of one of several pairs with "pair N: ".
std::vector<std::vector<double>> classify_sequences(const Model& model, const Tokenizer& tokenizer,
                                                    std::span<const std::string> texts, const TextBatching& batching,
                                                    const std::optional<LogitActivation>& activation = {});
std::vector<std::vector<double>> classify_sequences(const Model& model, const Tokenizer& tokenizer,
                                                    std::span<const std::pair<std::string, std::string>> pairs,
                                                    const TextBatching& batching,
                                                    const std::optional<LogitActivation>& activation = {});

struct TokenLabel {
  int32_t id = 0;
  size_t label = 0;                  // the most probable one
  double score = 0;                  // its probability
  int32_t segment = 0;               // 1 for the second text of a pair
  std::array<int64_t, 2> offsets{};  // [begin, end) in code points of that text
};
// Labels of all tokens except [CLS] and [SEP].
std::vector<std::vector<TokenLabel>> label_tokens(const Model& model, const TextBatch& batch);

struct Answer {
  std::string text;                  // a substring of the context
  double score = 0;                  // product of its start and end probabilities, over the context's tokens
  std::array<int64_t, 2> offsets{};  // [begin, end) in code points of the context
};
// The best answer of at most `max_tokens` tokens per item; empty, with score 0, for an empty context.
std::vector<Answer> answer_questions(const Model& model, const TextBatch& batch, int64_t max_tokens);

// The probability of each choice.
std::vector<std::vector<double>> choose(const Model& model, const TextBatch& batch);

// The index of the largest value, the first on ties.
size_t best_of(const std::vector<double>& probabilities);

}  // namespace roformer
