// Training objectives as the training step (training_step.h) and the trainer see them: micro-batches and their loss.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "models/model.h"

namespace roformer {

// The micro-batches of one step.
class MicroBatches {
 public:
  MicroBatches() = default;
  virtual ~MicroBatches() = default;
  MicroBatches(const MicroBatches&) = delete;
  MicroBatches& operator=(const MicroBatches&) = delete;

  virtual int64_t micro_batches() const = 0;
  virtual int64_t labels() const = 0;  // over all micro-batches
  // Called before a pass over the micro-batches, with what gives the context of each without a tape: the same random
  // numbers as in the pass. For losses over all of them, which first need the vectors of each (GradCache, Gao et al.
  // 2021).
  virtual void before_pass(const std::function<Context(int64_t micro_batch)>& /*context_of*/) {}
  // Forward pass of one micro-batch; with a tape in the context, the loss's gradient is `gradient_scale`.
  virtual Loss forward(const Context& context, int64_t micro_batch, double gradient_scale) = 0;
};

struct Evaluation {
  double loss = 0;                        // mean over labels, in nats
  std::optional<double> accuracy = {};    // fraction of labels with the largest logit
  int64_t labels = 0;                     // or examples
  std::optional<double> perplexity = {};  // exp(loss), for language modeling
  // Total loss in bits per character of the text; none without characters.
  std::optional<double> bits_per_character = {};
  // The objective's own, in the order in which they are shown. Names other than those above and "event" and "step".
  std::vector<std::pair<std::string, double>> metrics = {};
};

// Accumulates losses of batches in order.
struct LossTotal {
  double sum = 0;
  int64_t correct = 0, labels = 0;

  void add(const LossSum& loss, int64_t more_labels) {
    sum += loss.sum;
    correct += loss.correct;
    labels += more_labels;
  }
  // Mean loss and accuracy; nothing without labels.
  Evaluation mean() const {
    if (labels == 0) return {};
    const auto count = static_cast<double>(labels);
    return {.loss = sum / count, .accuracy = static_cast<double>(correct) / count, .labels = labels};
  }
};

// Its micro-batches are those of the last prepared step.
class Objective : public MicroBatches {
 public:
  // Assembles the micro-batches of a step. Steps come one after the other, from 1 or from the one after resume().
  virtual void prepare(int64_t step) = 0;
  // The data position after the last prepared step, for resume().
  virtual Json cursor() const = 0;
  virtual void resume(const JsonObject& cursor) = 0;
  // Total seconds that prepare() has waited for data.
  virtual double waited() const { return 0; }
  virtual int64_t tokens() const = 0;  // over all micro-batches

  virtual Evaluation validate(const Context& context) = 0;
};

}  // namespace roformer
