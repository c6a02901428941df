// Masked language modelling over a packed corpus: every epoch visits every sequence once in an order of its own and
// draws its masks anew. Batches and masks are functions of (seed, step) only, so the place in the data is the step.
#pragma once

#include <vector>

#include "data/masking.h"
#include "data/packed_corpus.h"
#include "data/sequence_order.h"
#include "training/objective.h"

namespace roformer {

struct MlmOptions {
  MaskingOptions masking;
  int64_t sequences_per_micro_batch = 1;
  int64_t accumulate = 1;  // micro-batches a step
};

class MlmObjective final : public Objective {
 public:
  // Sequences of `training_corpus` and `validation_corpus` by number; all must outlive the objective.
  MlmObjective(const Model& model, const Tokenizer& tokenizer, const MlmOptions& options,
               const PackedCorpus& training_corpus, std::vector<int64_t> training,
               const PackedCorpus& validation_corpus, std::vector<int64_t> validation, RandomStream random);

  void prepare(int64_t step) override;
  int64_t micro_batches() const override { return options_.accumulate; }
  int64_t labels() const override;
  int64_t tokens() const override;
  LossSum forward(const Context& context, int64_t micro_batch, double gradient_scale) override;
  Evaluation validate(const Context& context) override;

  // Loss of predicting the validation tokens by how often each occurs in training: what a model reaches that looks at
  // nothing. Counts are add-one smoothed.
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
  const PackedCorpus& training_corpus_;
  const PackedCorpus& validation_corpus_;
  std::vector<int64_t> training_, validation_;
  RandomStream order_random_, mask_random_, validation_random_;
  SequenceOrder order_;
  std::vector<MicroBatch> prepared_;
};

}  // namespace roformer
