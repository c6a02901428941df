// What is trained: where the micro-batches of a step come from and what their loss is. The step (training_step.h) and
// the trainer know nothing else of it.
#pragma once

#include <cstdint>
#include <optional>

#include "base/json.h"
#include "models/model.h"

namespace roformer {

// The work of one step.
class MicroBatches {
 public:
  MicroBatches() = default;
  virtual ~MicroBatches() = default;
  MicroBatches(const MicroBatches&) = delete;
  MicroBatches& operator=(const MicroBatches&) = delete;

  virtual int64_t micro_batches() const = 0;
  virtual int64_t labels() const = 0;  // over all micro-batches
  // Forward pass of one of them; with a tape in the context its backward starts from `gradient_scale`.
  virtual Loss forward(const Context& context, int64_t micro_batch, double gradient_scale) = 0;
};

struct Evaluation {
  double loss = 0;      // mean over labels, in nats
  double accuracy = 0;  // share of labels that had the largest logit
  int64_t labels = 0;
  std::optional<double> perplexity = {};  // exp(loss), of objectives whose loss is that of a text
  // Likewise the loss of all labels in bits, a character of what they stand for; of no characters none.
  std::optional<double> bits_per_character = {};
};

// Losses of batches, summed up in their order.
struct LossTotal {
  double sum = 0;
  int64_t correct = 0, labels = 0;

  void add(const LossSum& loss, int64_t more_labels) {
    sum += loss.sum;
    correct += loss.correct;
    labels += more_labels;
  }
  // Loss and accuracy, 0 of no labels.
  Evaluation mean() const {
    if (labels == 0) return {};
    const auto count = static_cast<double>(labels);
    return {.loss = sum / count, .accuracy = static_cast<double>(correct) / count, .labels = labels};
  }
};

// Its micro-batches are those of the step that was prepared last.
class Objective : public MicroBatches {
 public:
  // Assembles the micro-batches of a step. Steps come one after the other, from 1 or from the one after resume().
  virtual void prepare(int64_t step) = 0;
  // Where the data is after the last step that was prepared: what resume() needs to go on from there.
  virtual Json place() const = 0;
  virtual void resume(const JsonObject& place) = 0;
  // Seconds that prepare() has waited for data in all.
  virtual double waited() const { return 0; }
  virtual int64_t tokens() const = 0;  // over all micro-batches

  virtual Evaluation validate(const Context& context) = 0;
};

}  // namespace roformer
