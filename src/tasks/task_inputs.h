// Examples as a model reads them: sequences, and the terms of the loss (loss_terms.h) over the logits that the head
// gives for these. This file is what tells one kind of task from another; what comes behind it is common to all kinds.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/parallel.h"
#include "data/labeled/example.h"
#include "inference/text_stream.h"
#include "models/config.h"
#include "tasks/loss_terms.h"
#include "text/tokenizer.h"

namespace roformer {

// Whether a kind of task has a head: not pair_similarity and contrastive, which are of vectors (tasks/vectors).
bool has_head(TaskKind kind);
// The head that a kind of task needs. UsageError for a kind without one.
Head head_of(TaskKind kind);
// Whether a kind of task has labels by name.
bool has_labels(TaskKind kind);
// Whether the head gives a row of logits per token, not per sequence.
bool labels_tokens(Head head);

// The names of the labels in the order of their ids.
class LabelNames {
 public:
  LabelNames() = default;
  // Also finds names in another letter case, and numbers where the model has no names ("LABEL_2").
  explicit LabelNames(std::vector<std::string> names);

  const std::vector<std::string>& names() const { return names_; }
  int32_t size() const { return static_cast<int32_t>(names_.size()); }
  int32_t find(const std::string& label) const;  // -1: unknown

 private:
  std::vector<std::string> names_;
  std::map<std::string, int32_t> ids_;
};

// A part of an example: the whole of it, or a window of a long text whose tokens have labels, or of a long context.
struct EncodedPart {
  int64_t source = 0;                    // index of the example
  std::vector<Encoding> sequences = {};  // of multiple choice one per choice, of a triplet (A, B) and (A, C), else one;
                                         // with offsets only for question answering
  std::vector<LossTerm> terms = {};      // over the logits of these sequences; of token classification one per word

  int64_t tokens() const;
};

struct EncodedExamples {
  std::vector<EncodedPart> parts = {};  // in the order of the examples
  int64_t examples = 0;
  int64_t cut = 0;         // examples that lost tokens to max_length
  int64_t unanswered = 0;  // questions whose answer is not in the context where the file says it is

  int64_t tokens() const;
};

struct InputOptions {
  int64_t max_length = 512;            // tokens of a sequence; question answering: of a window
  std::optional<int64_t> stride = {};  // question answering: as QuestionWindows
};

// Encodes examples for a model of this config. Thread-safe; `tokenizer` must outlive it.
class TaskInputs {
 public:
  // UsageError for a max_length that is too small or more than the model takes.
  TaskInputs(TaskKind kind, const ModelConfig& config, const Tokenizer& tokenizer, const InputOptions& options);

  // On all threads of `pool`. DataError, with the example's line in `file`, for a text that cannot be encoded.
  EncodedExamples encode(std::span<const Example> examples, const std::string& file, ThreadPool& pool) const;

 private:
  std::vector<EncodedPart> encode_one(const Example& example, EncodedExamples& counts) const;
  std::vector<EncodedPart> encode_tokens(const Example& example, EncodedExamples& counts) const;
  std::vector<EncodedPart> encode_question(const Example& example, EncodedExamples& counts) const;
  EncodedPart encode_texts(const Example& example, EncodedExamples& counts) const;

  TaskKind kind_;
  int64_t rows_;  // of the model's embeddings
  const Tokenizer& tokenizer_;
  InputOptions options_;
  LabelNames labels_;
  ItemEncoder question_windows_;
};

}  // namespace roformer
