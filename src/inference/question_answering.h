// Extractive question answering, as the pipeline of transformers 4.57 does it: a long context is read in windows that
// overlap, each with the question; spans with the same text add up; an answer is extended to whole words.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "inference/text_stream.h"
#include "models/model.h"

namespace roformer {

struct QuestionWindows {
  int64_t max_length = 0;              // tokens of a window, question and special tokens included; 0 = a single window
  std::optional<int64_t> stride = {};  // tokens of the context that two windows share; none: half of max_length, at
                                       // most 128, and less than the context's part of a window
};

// The windows of a model: by default of 384 tokens, or fewer if its positions or the tokenizer's model_max_length end
// before. UsageError for a stride that is not below max_length.
QuestionWindows question_windows(const ModelConfig& config, const Tokenizer& tokenizer,
                                 std::optional<int64_t> max_length, std::optional<int64_t> stride);

// Encodes "question TAB context", or with another separator, as one sequence per window. DataError for a question that
// leaves a window no more of the context than the stride.
ItemEncoder encode_question(const Tokenizer& tokenizer, const QuestionWindows& windows, char separator = '\t');

struct AnswerOptions {
  int64_t max_tokens = 30;     // longest answer, before it is extended to words
  bool align_to_words = true;  // where tokens are parts of words (Tokenizer::is_continuation)
  // The answer is empty if [CLS] scores higher in every window (SQuAD 2.0).
  bool may_have_none = false;
};

struct Answer {
  std::string text;  // a substring of the context
  double score = 0;  // sum of start × end probability over spans with this text, in any letter case; each
                     // probability is over the context's tokens of a window and [CLS]
  std::array<int64_t, 2> offsets{};  // [begin, end) in code points of the context, of the first such span
};

// Collects the answers to one question from the windows of its context.
class AnswerSearch {
 public:
  // What they view must outlive it.
  AnswerSearch(const Tokenizer& tokenizer, std::string_view context, const AnswerOptions& options);

  // `logits`: [tokens of the window, 2], the start's and the end's.
  void add(const Encoding& window, std::span<const float> logits);
  Answer best() const;

 private:
  void add_answer(std::array<int64_t, 2> offsets, double score);

  const Tokenizer& tokenizer_;
  std::string_view context_;
  AnswerOptions options_;
  std::vector<size_t> starts_;  // bytes of the context's code points, and its end
  std::vector<Answer> answers_;
  std::unordered_map<std::string, size_t> by_text_;  // in lower case
  std::optional<double> none_;                       // the lowest score that a window gives to no answer
};

// The best answer to each item, encoded by encode_question; empty, with score 0, for an empty context. Counted are the
// best span of each window or, with align_to_words, the best twelve. DataError for non-finite logits.
std::vector<Answer> answer_questions(const Model& model, const Tokenizer& tokenizer, const TextBatch& batch,
                                     const AnswerOptions& options);
// The same of pairs of a question and a context in memory. DataError also for a model with another head; errors as
// for_text_batches, of one of several pairs with "pair N: ".
std::vector<Answer> answer_questions(const Model& model, const Tokenizer& tokenizer, TextPairs questions,
                                     const QuestionWindows& windows, const TextBatching& batching,
                                     const AnswerOptions& options);

}  // namespace roformer
