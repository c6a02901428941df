// Inference with classification heads, as probabilities: sequence and token classification, and multiple choice.
// Question answering is inference/question_answering.h.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "inference/text_stream.h"
#include "inference/torch_activation.h"
#include "models/model.h"

namespace roformer {

struct ClassifyOptions {
  bool pair = false;                       // an item is two tab-separated texts
  std::optional<int64_t> max_length = {};  // tokens of a sequence; 0 = no truncation; none: as `preparation` says, and
                                           // for questions as QuestionWindows
  std::optional<int64_t> stride = {};      // question answering: see QuestionWindows
  TextPreparation preparation = {};        // sequence and token classification
};

// The item format of a model's head: a text or a pair for sequence and token classification; "question TAB context" for
// question answering, in windows; "prompt TAB choice TAB choice …" for multiple choice, one sequence per choice.
// DataError for another head.
ItemEncoder encode_for_head(const Model& model, const Tokenizer& tokenizer, const ClassifyOptions& options);

// The following functions return one result per item of `batch`, encoded by encode_for_head; DataError for non-finite
// logits.

// Scores of ModelConfig::labels: `activation` of the logits, else by the model's problem: softmax (single_label),
// sigmoid (multi_label, score), raw logits (regression).
std::vector<std::vector<double>> classify_sequences(const Model& model, const TextBatch& batch,
                                                    const std::optional<LogitActivation>& activation = {});
// The same of texts, or pairs, in memory. DataError for another head than sequence classification; errors as
// for_text_batches, of one of several pairs with "pair N: ".
std::vector<std::vector<double>> classify_sequences(const Model& model, const Tokenizer& tokenizer, Texts texts,
                                                    const TextBatching& batching,
                                                    const std::optional<LogitActivation>& activation = {});
std::vector<std::vector<double>> classify_sequences(const Model& model, const Tokenizer& tokenizer, TextPairs pairs,
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
// The same of texts in memory. Errors as classify_sequences.
std::vector<std::vector<TokenLabel>> label_tokens(const Model& model, const Tokenizer& tokenizer, Texts texts,
                                                  const TextBatching& batching);

// The probability of each choice.
std::vector<std::vector<double>> choose(const Model& model, const TextBatch& batch);
// The same of one prompt's choices in memory. Errors as classify_sequences.
std::vector<double> choose(const Model& model, const Tokenizer& tokenizer, std::string_view prompt, Texts choices,
                           const TextBatching& batching);

// The index of the largest value, the first on ties.
size_t best_of(const std::vector<double>& probabilities);

}  // namespace roformer
