// Training of an encoder-decoder on pairs of sequences: each token of a target is predicted from those before it and
// from the source (Vaswani et al. 2017).
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "data/packed_sequences.h"
#include "data/parallel/pair_batches.h"
#include "nn/batch.h"
#include "training/objective.h"

namespace roformer {

// Pair i: source(i) and target(i), each with its end token. The two have as many sequences.
struct PairSequences {
  PackedSequences source, target;

  int64_t size() const { return source.size(); }
  std::vector<PairLength> lengths() const;
};

// Pairs as the model reads them: the decoder gets the target behind the start token, without its last token.
struct PairBatch {
  Batch source, decoder;
  std::vector<int32_t> labels;  // [tokens of the decoder]

  void append(std::span<const int32_t> source_ids, std::span<const int32_t> target_ids, int32_t start_id);
};

PairBatch pair_batch(const PairSequences& pairs, std::span<const int32_t> which, int32_t start_id);

// Summed cross-entropy of the batch, with the labels smoothed.
Loss translation_loss(const Context& context, const Model& model, const PairBatch& batch, double gradient_scale,
                      double label_smoothing);

struct TranslationObjectiveOptions {
  int64_t batch_tokens = 4096;  // of a batch, on either side
  int64_t accumulate = 1;       // batches per step
  double label_smoothing = 0.1;
};

class TranslationObjective final : public Objective {
 public:
  // What else is measured: metrics of translations, added to the evaluation.
  using Measure = std::function<void(Evaluation& evaluation)>;

  // `model` must outlive it.
  TranslationObjective(const Model& model, PairSequences training, PairSequences validation,
                       const TranslationObjectiveOptions& options, Measure measure, RandomStream random);

  // Batches in this many epochs, which need not be whole.
  static int64_t count_batches(const PairSequences& training, int64_t batch_tokens, RandomStream random, double epochs);

  void prepare(int64_t step) override;
  Json cursor() const override;
  void resume(const JsonObject& cursor) override;
  int64_t micro_batches() const override { return std::ssize(prepared_); }
  int64_t labels() const override;
  // Of the targets.
  int64_t tokens() const override { return labels(); }
  Loss forward(const Context& context, int64_t micro_batch, double gradient_scale) override;
  // The loss is that of unsmoothed labels.
  Evaluation validate(const Context& context) override;

 private:
  PairBatch next_batch();

  const Model& model_;
  PairSequences training_, validation_;
  std::vector<PairLength> lengths_;  // of training_
  TranslationObjectiveOptions options_;
  Measure measure_;
  RandomStream random_;
  int32_t start_id_;
  int64_t epoch_ = 0, next_ = 0;  // the next batch of the epoch
  std::vector<std::vector<int32_t>> batches_;
  std::vector<PairBatch> prepared_;
};

}  // namespace roformer
