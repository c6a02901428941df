// Language modeling, masked or causal, over a stream of sequences. Labels (labeler.h) are drawn anew each time a
// sequence is used, as a function of the micro-batch's number.
#pragma once

#include <array>
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
  int64_t accumulate = 1;   // micro-batches per step
  bool perplexity = false;  // include it in evaluations
  int64_t stage = 0;        // of a training in stages, from 0; each has its own labels of training
  int64_t characters = 0;   // of the validation text; > 0 includes bits per character in evaluations
};

// The number of characters (code points) in the decoded sequences, which for char and byte tokenizers equal the text.
// [UNK] counts as one, other special tokens as none.
int64_t count_characters(const Tokenizer& tokenizer, const PackedSequences& sequences);

// A batch of sequences with labels.
struct LabeledBatch {
  Batch batch;
  std::vector<int32_t> rows, labels;  // each label and the row of `batch` it is predicted from, ascending

  void append(const MaskedSequence& sequence);
};

// Sequences from `range[0]` up to `range[1]`, sequence i labeled with substream first + i of `random`.
LabeledBatch label_sequences(const Labeler& labeler, const PackedSequences& sequences, std::array<int64_t, 2> range,
                             RandomStream random, int64_t first = 0);

// Loss of the batch, summed over labels.
Loss language_loss(const Context& context, const Model& model, const LabeledBatch& batch, double gradient_scale);

// Micro-batches given in advance.
class LabeledBatches final : public MicroBatches {
 public:
  // `model` must outlive it.
  LabeledBatches(const Model& model, std::vector<LabeledBatch> batches) : model_(model), batches_(std::move(batches)) {}

  int64_t micro_batches() const override { return std::ssize(batches_); }
  int64_t labels() const override;
  Loss forward(const Context& context, int64_t micro_batch, double gradient_scale) override;

 private:
  const Model& model_;
  std::vector<LabeledBatch> batches_;
};

// Total labels of all batches.
int64_t count_labels(std::span<const LabeledBatch> batches);

class LanguageObjective final : public Objective {
 public:
  // Of the labels of validation, in an objective with this `random`.
  static RandomStream validation_random(RandomStream random) { return substream(random, 2); }

  // `model` must outlive it.
  LanguageObjective(const Model& model, std::unique_ptr<Labeler> labeling, const LanguageOptions& options,
                    std::unique_ptr<SequenceStream> training, PackedSequences validation, RandomStream random);

  void prepare(int64_t step) override;
  Json cursor() const override;
  void resume(const JsonObject& cursor) override;
  double waited() const override { return training_->waited(); }
  int64_t micro_batches() const override { return options_.accumulate; }
  int64_t labels() const override;
  int64_t tokens() const override;
  Loss forward(const Context& context, int64_t micro_batch, double gradient_scale) override;
  Evaluation validate(const Context& context) override;

  int64_t validation_sequences() const { return validation_.size(); }
  // Baseline validation loss of a unigram model, estimated from the stream's current window with add-one smoothing.
  double unigram_loss() const;

 private:
  const Model& model_;
  std::unique_ptr<Labeler> labeler_;
  LanguageOptions options_;
  std::unique_ptr<SequenceStream> training_;
  PackedSequences validation_;
  RandomStream training_random_, validation_random_;
  std::vector<LabeledBatch> prepared_;
  SequenceStream::Cursor cursor_;  // after the prepared step
};

}  // namespace roformer
