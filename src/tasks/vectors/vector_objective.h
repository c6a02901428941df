// Training of sentence vectors: losses that compare all texts of a step. Its gradient by the vectors is computed once,
// from vectors without a tape, and each micro-batch then passes its part on (GradCache, Gao et al. 2021), so that a
// step of any size needs the memory of one micro-batch. Without dropout, vectors and loss have the same bits for any
// micro-batches (each text is computed alone), and the gradients of weights differ as their sums are rounded. Dropout
// is drawn by micro-batch and place in it, the same in both passes. A step of a single micro-batch is computed once.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/random.h"
#include "inference/sentence_steps.h"
#include "models/model.h"
#include "tasks/vectors/similarity_loss.h"
#include "tasks/vectors/vector_inputs.h"
#include "training/objective.h"

namespace roformer {

struct VectorObjectiveOptions {
  TextPooling pooling = TextPooling::mean;
  int64_t batch_size = 32;        // examples of a step
  int64_t batch_tokens = 16'384;  // of a micro-batch, at least one text
};

class VectorObjective : public Objective {
 public:
  using Validate = std::function<Evaluation()>;

  // `model` and `inputs` must outlive it.
  VectorObjective(const Model& model, const VectorInputs& inputs, const VectorObjectiveOptions& options,
                  Validate validate, RandomStream random);

  void prepare(int64_t step) final;
  Json cursor() const override;
  void resume(const JsonObject& /*cursor*/) override {}  // the step says where the data continues
  int64_t micro_batches() const final { return std::ssize(micro_batches_); }
  int64_t labels() const override { return labels_; }
  int64_t tokens() const final;
  void before_pass(const std::function<Context(int64_t micro_batch)>& context_of) final;
  Loss forward(const Context& context, int64_t micro_batch, double gradient_scale) final;
  Evaluation validate(const Context&) final { return validate_(); }

 protected:
  // Adds the texts of a step's examples, of `rows` of the inputs, in the order in which their vectors stand.
  virtual void compose(int64_t step, int64_t epoch, std::span<const int64_t> rows) = 0;
  // The loss of the vectors of the step's texts: the sum over labels(). Adds to `gradient`.
  virtual LossSum loss(const VectorMatrix& vectors, VectorMatrix* gradient) const = 0;
  // The hidden states of a micro-batch, and its loss beside that of the vectors.
  virtual Value hidden(const Context& context, const Batch& batch) const;
  virtual LossSum more_loss(const Context& context, const Value& hidden, const Batch& batch,
                            double gradient_scale) const;

  void add_text(std::span<const int32_t> ids, std::span<const int32_t> segments);
  const Model& model() const { return model_; }
  const VectorInputs& inputs() const { return inputs_; }
  const VectorObjectiveOptions& options() const { return options_; }
  RandomStream random() const { return random_; }

 private:
  struct MicroBatch {
    int64_t first = 0;  // text
    Batch batch;
  };
  Value vectors(const Context& context, const Value& hidden, const Batch& batch) const;

  const Model& model_;
  const VectorInputs& inputs_;
  VectorObjectiveOptions options_;
  Validate validate_;
  RandomStream random_;
  int64_t epoch_ = -1;
  std::vector<int64_t> order_;  // of epoch_
  std::vector<MicroBatch> micro_batches_;
  int64_t labels_ = 0, texts_ = 0;
  // Of the step: the loss of its vectors and the gradient by them; of several micro-batches only.
  LossSum cached_loss_;
  VectorMatrix cached_gradient_;
};

struct PairObjectiveOptions {
  bool by_order = true;  // CoSENT; else the error of the cosine
  double scale = 20, low = 0, high = 1;
  std::vector<VectorSize> sizes = {{}};
};

// The loss of pairs with scores, options.sizes and all.
LossSum pair_loss(const VectorMatrix& vectors, const ScoredPairs& pairs, const PairObjectiveOptions& options,
                  VectorMatrix* gradient);

class PairObjective final : public VectorObjective {
 public:
  // One score per example.
  PairObjective(const Model& model, const VectorInputs& inputs, std::vector<double> scores,
                const PairObjectiveOptions& pairs, const VectorObjectiveOptions& options, Validate validate,
                RandomStream random);

 protected:
  void compose(int64_t step, int64_t epoch, std::span<const int64_t> rows) override;
  LossSum loss(const VectorMatrix& vectors, VectorMatrix* gradient) const override;

 private:
  std::vector<double> scores_;
  PairObjectiveOptions pair_options_;
  ScoredPairs pairs_;
};

}  // namespace roformer
