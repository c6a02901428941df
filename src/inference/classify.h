// What a model's classification head says of texts, as probabilities: of a text or a pair, of its tokens, where in a
// context the answer to a question stands, and which of several choices goes with a prompt.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "inference/text_stream.h"
#include "models/model.h"

namespace roformer {

struct ClassifyOptions {
  bool pair = false;       // an item is two texts and a tab between them
  int64_t max_length = 0;  // tokens of a sequence; 0 = never cut
};

// How the items of a model with this head are made: of sequence and token classification a text or a pair; of question
// answering "question TAB context"; of multiple choice "prompt TAB choice TAB choice …", one sequence a choice.
// DataError for another head.
ItemEncoder encode_for_head(const Model& model, const Tokenizer& tokenizer, const ClassifyOptions& options);

// In all of these: one result an item of `batch`, whose items encode_for_head made; DataError for scores that are not
// finite.

// The scores of the labels, ModelConfig::labels, by the model's problem: probabilities that sum to 1 (single_label), a
// probability of each (multi_label), the numbers themselves (regression).
std::vector<std::vector<double>> classify_sequences(const Model& model, const TextBatch& batch);
// The same of texts, or pairs, in memory. DataError for another head than sequence classification; errors as
// for_text_batches, of one of several pairs with "pair N: ".
std::vector<std::vector<double>> classify_sequences(const Model& model, const Tokenizer& tokenizer,
                                                    std::span<const std::string> texts, const TextBatching& batching);
std::vector<std::vector<double>> classify_sequences(const Model& model, const Tokenizer& tokenizer,
                                                    std::span<const std::pair<std::string, std::string>> pairs,
                                                    const TextBatching& batching);

struct TokenLabel {
  int32_t id = 0;
  size_t label = 0;                  // the most probable one
  double score = 0;                  // its probability
  int32_t segment = 0;               // of a pair: 0 or 1
  std::array<int64_t, 2> offsets{};  // [begin, end) in code points of that text
};
// Of all tokens but [CLS] and [SEP].
std::vector<std::vector<TokenLabel>> label_tokens(const Model& model, const TextBatch& batch);

struct Answer {
  std::string text;                  // as it stands in the context
  double score = 0;                  // probability of its start times that of its end, over the context's tokens
  std::array<int64_t, 2> offsets{};  // [begin, end) in code points of the context
};
// The best answer of at most `max_tokens` tokens. Empty, with score 0, where the context has none.
std::vector<Answer> answer_questions(const Model& model, const TextBatch& batch, int64_t max_tokens);

// The probability of each choice.
std::vector<std::vector<double>> choose(const Model& model, const TextBatch& batch);

// The largest one; the first if several.
size_t best_of(const std::vector<double>& scores);

}  // namespace roformer
