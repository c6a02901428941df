// Masked language modelling over a stream of sequences, whose every visit draws its masks anew, as a function of the
// number of the visit.
#pragma once

#include <vector>

#include "data/masking.h"
#include "data/sequence_stream.h"
#include "training/objective.h"

namespace roformer {

struct MlmOptions {
  MaskingOptions masking;
  int64_t sequences_per_micro_batch = 1;
  int64_t accumulate = 1;  // micro-batches a step
};

class MlmObjective final : public Objective {
 public:
  // Model and stream must outlive the objective.
  MlmObjective(const Model& model, const Tokenizer& tokenizer, const MlmOptions& options, SequenceStream& training,
               PackedSequences validation, RandomStream random);

  void prepare(int64_t step) override;
  Json place() const override;
  void resume(const JsonObject& place) override;
  double waited() const override { return training_.waited(); }
  int64_t micro_batches() const override { return options_.accumulate; }
  int64_t labels() const override;
  int64_t tokens() const override;
  LossSum forward(const Context& context, int64_t micro_batch, double gradient_scale) override;
  Evaluation validate(const Context& context) override;

  // Loss of predicting the validation tokens by how often each occurs in the stream's present window: what a model
  // reaches that looks at nothing. Counts are add-one smoothed.
  double unigram_loss() const;

 private:
  struct MicroBatch {
    Batch batch;
    std::vector<int32_t> rows, labels;
  };
  static void append(std::span<const int32_t> sequence, const MaskedSequence& masked, MicroBatch& micro);
  LossSum loss(const Context& context, const MicroBatch& micro, double gradient_scale) const;

  const Model& model_;
  MlmOptions options_;
  MaskingVocabulary vocabulary_;
  SequenceStream& training_;
  PackedSequences validation_;
  RandomStream mask_random_, validation_random_;
  std::vector<MicroBatch> prepared_;
  SequenceStream::Place place_;  // after the prepared step
};

}  // namespace roformer
