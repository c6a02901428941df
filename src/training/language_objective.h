// Language modeling, masked or causal, over a stream of sequences. What is predicted of a sequence (labeling.h) is
// drawn anew at every visit, as a function of the number of the visit.
#pragma once

#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "data/sequence_stream.h"
#include "training/labeler.h"
#include "training/objective.h"

namespace roformer {

struct LanguageOptions {
  int64_t sequences_per_micro_batch = 1;
  int64_t accumulate = 1;   // micro-batches a step
  bool perplexity = false;  // whether evaluations say it
  int64_t characters = 0;   // of the text to validate on; with them evaluations say the bits for one
};

// Characters (code points) of the text that these sequences are of, as the tokenizer writes it again: of char and byte
// tokenizers the text itself. Special tokens are none, [UNK] is one.
int64_t count_characters(const Tokenizer& tokenizer, const PackedSequences& sequences);

// Sequences with their labels, as the model takes them.
struct LabeledBatch {
  Batch batch;
  std::vector<int32_t> rows, labels;  // the row of `batch` that each label is predicted from, rising

  void append(const MaskedSequence& sequence);
};

// Summed loss of all labels of the batch.
Loss language_loss(const Context& context, const Model& model, const LabeledBatch& batch, double gradient_scale);

// A step's batches that are there already.
class LabeledBatches final : public MicroBatches {
 public:
  // Of this model, which stays with its owner.
  LabeledBatches(const Model& model, std::vector<LabeledBatch> batches) : model_(model), batches_(std::move(batches)) {}

  int64_t micro_batches() const override { return std::ssize(batches_); }
  int64_t labels() const override;
  Loss forward(const Context& context, int64_t micro_batch, double gradient_scale) override;

 private:
  const Model& model_;
  std::vector<LabeledBatch> batches_;
};

// Labels of all batches together.
int64_t count_labels(std::span<const LabeledBatch> batches);

class LanguageObjective final : public Objective {
 public:
  // Of this model, which stays with its owner.
  LanguageObjective(const Model& model, std::unique_ptr<Labeler> labeling, const LanguageOptions& options,
                    std::unique_ptr<SequenceStream> training, PackedSequences validation, RandomStream random);

  void prepare(int64_t step) override;
  Json place() const override;
  void resume(const JsonObject& place) override;
  double waited() const override { return training_->waited(); }
  int64_t micro_batches() const override { return options_.accumulate; }
  int64_t labels() const override;
  int64_t tokens() const override;
  Loss forward(const Context& context, int64_t micro_batch, double gradient_scale) override;
  Evaluation validate(const Context& context) override;

  // Loss of predicting the validation tokens by how often each occurs in the stream's present window: what a model
  // reaches that looks at nothing. Counts are add-one smoothed.
  double unigram_loss() const;

 private:
  const Model& model_;
  std::unique_ptr<Labeler> labeler_;
  LanguageOptions options_;
  std::unique_ptr<SequenceStream> training_;
  PackedSequences validation_;
  RandomStream training_random_, validation_random_;
  std::vector<LabeledBatch> prepared_;
  SequenceStream::Cursor place_;  // after the prepared step
};

}  // namespace roformer
